"""The demo itself, with the offline encoder, on the photos it ships with."""

from pathlib import Path

import pytest

from api.demo.media import Script
from api.demo.run import run, run_on
from api.installation import Installation
from api.settings import Settings
from tests.media import save_pictures


def test_the_script_asks_in_six_languages_and_once_for_nothing() -> None:
    script = Script.load()
    answered = {query.language for query in script.queries if query.file}
    assert len(answered) >= 6
    assert [query for query in script.queries if query.file is None]


def test_the_demo_comes_out_as_expected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Installation(Settings(data=tmp_path)) as installation:
        assert run(installation)
    shown = capsys.readouterr().out
    assert "no good match" in shown
    assert "polylens ingest" in shown
    page = (tmp_path / "demo.html").read_text("utf-8")
    assert page.count("data:image/webp") >= 15


def test_it_fails_where_an_expected_file_is_missed(tmp_path: Path) -> None:
    with Installation(Settings(data=tmp_path, encoder="fake")) as installation:
        assert not run(installation)


def test_ones_own_folder_has_no_expectations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_pictures(tmp_path / "mine", 3)
    with Installation(Settings(data=tmp_path / "data")) as installation:
        run_on(installation, tmp_path / "mine")
        assert installation.store.open("my-media").count() == 3
    assert "Not as expected" not in capsys.readouterr().out
