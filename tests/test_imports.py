"""The arrows between packages run one way; see docs/architecture.md."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED: dict[str, set[str]] = {
    "encoders": set(),
    "indexer": set(),
    "ingestion": {"encoders", "indexer"},
    "retrieval": {"encoders", "indexer"},
    "api": {"encoders", "indexer", "ingestion", "retrieval"},
}


def imported_packages(source: str) -> set[str]:
    """Top-level names of everything a module imports, wherever in the module it does so."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_follow_the_arrows(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for file in files:
        foreign = imported_packages(file.read_text("utf-8")) & (ALLOWED.keys() - {package})
        assert foreign <= ALLOWED[package], f"{file.relative_to(ROOT)} imports {foreign}"


@pytest.mark.parametrize("package", ALLOWED.keys() - {"api"})
def test_only_the_api_reads_the_environment(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        source = file.read_text("utf-8")
        assert "os.environ" not in source, file
        assert "os.getenv" not in source, file


def test_pyproject_lists_every_package() -> None:
    import tomllib

    listed = set(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    )
    found = {
        str(init.parent.relative_to(ROOT)).replace("/", ".")
        for package in ALLOWED
        for init in (ROOT / package).rglob("__init__.py")
    }
    assert listed == found
