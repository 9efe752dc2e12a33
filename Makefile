# Everything runs in its own virtual environment; nothing needs root.
# Override: PYTHON=python3.12, MEDIA=~/Pictures (for demo), TORCH_INDEX_URL=... (another torch build).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
DEMO := $(VENV)/.demo-installed
DEV := $(VENV)/.dev-installed

.PHONY: demo serve test test-long lint clean

demo: $(DEMO)
	$(BIN)/polylens demo $(if $(MEDIA),"$(MEDIA)")

serve: $(DEMO)
	$(BIN)/polylens serve

test: $(DEV)
	$(BIN)/pytest -m "not long"

test-long: $(DEV)
	$(BIN)/pytest -m long

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# torch comes first and by itself, so that a CPU or CUDA build can be chosen by its index.
$(DEMO): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "polylens needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	@echo "Installing polylens into $(VENV): a few minutes the first time (sizes are in the README)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -c constraints.txt torch $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL))
	$(PIP) install -c constraints.txt -e ".[cpu,demo,heic]"
	@touch $@

$(DEV): $(DEMO)
	$(PIP) install -c constraints.txt -e ".[cpu,dev]"
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
