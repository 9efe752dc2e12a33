"""The command as a shell runs it: what it reads from and prints to may fail."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.settings import NoHome, default_data
from tests.api.cli.conftest import Run

COMMAND = [sys.executable, "-c", "from api.cli import main; main()"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    named = {"POLYLENS_DATA": str(tmp_path / "data"), "POLYLENS_ENCODER": "fake"}
    return os.environ | named | {"PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.mark.parametrize(
    "arguments", [["search", "red", "--json"], ["search", "red"], ["index", "info"]]
)
def test_a_full_disk_behind_the_output_is_told(
    arguments: list[str], run: Run, photos: Path, environment: dict[str, str]
) -> None:
    run("ingest", photos)
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(
            [*COMMAND, *arguments], env=environment, stdout=full, stderr=subprocess.PIPE
        )
    assert ran.returncode == 1
    assert ran.stderr == b"polylens: standard output: No space left on device\n"


def test_a_reader_that_has_seen_enough_ends_the_ingestion(
    photos: Path, environment: dict[str, str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [*COMMAND, "ingest", photos],
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
    )
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (1, b"")


def test_closed_input_and_output(environment: dict[str, str]) -> None:
    shell = 'exec "$0" "$@" <&- >&-'
    ran = subprocess.run(
        ["sh", "-c", shell, *COMMAND, "search", "-"], env=environment, stderr=subprocess.PIPE
    )
    assert ran.returncode == 2
    assert b"standard input, which is closed" in ran.stderr


def test_input_that_is_no_text(environment: dict[str, str]) -> None:
    ran = subprocess.run(
        [*COMMAND, "search", "-"],
        env=environment | {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8:strict"},
        input=b"\xff\xfe",
        stderr=subprocess.PIPE,
    )
    assert ran.returncode == 2
    assert b"not UTF-8" in ran.stderr


def test_a_user_without_a_home_is_told_what_to_say(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("POLYLENS_DATA", "XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7)
    with pytest.raises(NoHome):
        default_data()
    ran = run("search", "red")
    assert ran.code == 1
    assert "--data or POLYLENS_DATA" in ran.err
