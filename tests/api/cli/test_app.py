import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.api.cli.conftest import Run


def test_help_lists_the_commands(run: Run) -> None:
    shown = run("--help").out
    for command in ("demo", "ingest", "search", "serve", "models", "doctor"):
        assert command in shown


def test_wrong_usage_is_exit_code_2(run: Run) -> None:
    assert run("ingest").code == 2
    assert run("find").code == 2


def test_a_setting_of_the_wrong_type_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYLENS_PORT", "eighty")
    ran = run("search", "x")
    assert ran.code == 1
    assert "setting 'port'" in ran.err


def test_a_list_that_is_no_list_is_explained(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYLENS_API_KEYS", "secret")
    ran = run("search", "x")
    assert ran.code == 1
    assert "write lists as JSON" in ran.err
    monkeypatch.setenv("POLYLENS_API_KEYS", '["secret"]')
    assert "setting 'api_keys.0'" in run("search", "x").err


def test_a_settings_file_with_a_syntax_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "polylens.toml").write_text("port = = 1")
    ran = run("search", "x")
    assert ran.code == 1
    assert "not TOML" in ran.err


def test_a_settings_file_that_is_not_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYLENS_CONFIG", "/nowhere.toml")
    ran = run("search", "x")
    assert ran.code == 2
    assert "/nowhere.toml" in ran.err


def test_the_version(run: Run) -> None:
    ran = run("--version")
    assert (ran.code, ran.out) == (0, f"polylens {version('polylens')}\n")


def test_what_is_no_unicode_is_refused(run: Run, photos: Path) -> None:
    run("ingest", photos)
    tree = '{"must": [{"key": "a", "match": {"value": "\\ud800"}}]}'
    ran = run("search", "x", "--filter", tree)
    assert ran.code == 1
    assert "--filter is not valid Unicode" in ran.err
    assert "text 0 is not valid Unicode" in run("search", "\udcff").err


def test_a_file_that_is_no_model(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "model").write_text("root:x:0:0:root:/root:/bin/bash\n")
    ran = run("ingest", photos, "--encoder", tmp_path / "model")
    assert ran.code == 1
    assert "no model at all" in ran.err


def test_a_port_that_is_taken(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ran = run("serve", "--port", taken.getsockname()[1])
    assert ran.code == 2
    assert "--port" in ran.err


def test_models_lists_what_runs_here(run: Run) -> None:
    shown = run("models").out
    assert "noun-finder" in shown
    assert "hf download OpenGVLab/InternVL-14B-224px" in shown


def test_doctor_finds_this_machine_healthy(run: Run) -> None:
    ran = run("doctor")
    assert ran.code == 0, ran.out
    assert "torch" in ran.out


def test_doctor_reads_the_vectors_again(run: Run, photos: Path, tmp_path: Path) -> None:
    run("ingest", photos)
    assert "verified" in run("doctor").out
    (file,) = (tmp_path / "data" / "collections" / "default").rglob("*.f32")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    ran = run("doctor")
    assert ran.code == 1
    assert "FAIL collection default" in ran.out


def test_doctor_tells_of_a_data_folder_that_cannot_be_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYLENS_DATA", "/proc/polylens")
    ran = run("doctor")
    assert ran.code == 1
    assert "FAIL data folder" in ran.out


def test_serving_beyond_this_machine_needs_a_key(run: Run) -> None:
    ran = run("serve", "--host", "0.0.0.0")
    assert ran.code == 2
    assert "polylens keys add" in ran.err


def test_keys_are_made_listed_and_revoked(run: Run) -> None:
    made = run("keys", "add", "page", "--scope", "write")
    assert made.code == 0
    text = made.out.strip()
    assert len(text) > 40
    listed = run("keys", "list").out
    assert "page\twrite" in listed
    assert text not in listed
    assert "already called 'page'" in run("keys", "add", "page").err
    assert run("keys", "revoke", "page").code == 0
    again = run("keys", "revoke", "page")
    assert again.code == 2
    assert "no stored key" in again.err


INTERRUPTED = """
import sys

class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == "api.cli.ingest":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Impatient())
from api.cli import main
main()
"""


def test_ctrl_c_while_it_is_loaded_leaves_no_trace() -> None:
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (130, "")
