"""The command line run in this process, through the same `main` as the installed command."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.cli import main
from tests.media import encoded, frames, plain, save_video


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `polylens ARGUMENTS` with a data folder of its own and the `fake` encoder."""
    monkeypatch.setenv("POLYLENS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("POLYLENS_ENCODER", "fake")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["polylens", *map(str, arguments)])
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code
        captured = capsys.readouterr()
        return Ran(code if isinstance(code, int) else 0, captured.out, captured.err)

    return command


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three plain pictures and a film: red, then blue."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for colour in ("red", "green", "yellow"):
        (folder / f"{colour}.jpg").write_bytes(encoded(plain(colour)))
    save_video(folder / "film.mp4", frames(("red", "blue"), each=40), fps=10)
    return folder
