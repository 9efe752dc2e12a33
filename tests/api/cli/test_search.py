import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.cli.conftest import Run
from tests.media import encoded, plain


@pytest.fixture
def filled(run: Run, photos: Path) -> Run:
    assert run("ingest", photos).code == 0
    return run


def test_a_table_with_moments_for_people(filled: Run) -> None:
    ran = filled("search", "something", "blue", "-n", 1)
    assert ran.code == 0
    assert "film.mp4" in ran.out
    assert "0:04-0:08" in ran.out


def test_json_for_programs(filled: Run) -> None:
    answer = json.loads(filled("search", "red", "--json").out)
    assert {hit["payload"]["name"] for hit in answer["hits"][:2]} == {"red.jpg", "film.mp4"}
    assert answer["good_match"] is True
    film = next(hit for hit in answer["hits"] if hit["payload"]["name"] == "film.mp4")
    assert film["moments"][0]["start"] == 0


def test_pages_and_what_was_done(filled: Run) -> None:
    query = ("search", "red", "--diversity", 0.3, "-n", 2)
    first = json.loads(filled(*query, "--json", "--explain").out)
    assert [stage["name"] for stage in first["stages"]][:3] == ["plan", "encode", "words"]
    second = json.loads(filled(*query, "--json", "--cursor", first["next"]).out)
    met = [hit["asset"] for answer in (first, second) for hit in answer["hits"]]
    assert len(set(met)) == 4
    assert second["next"] is None
    shown = filled(*query, "--explain").out
    assert "What was done" in shown
    assert "diversify" in shown


def test_nothing_relevant_is_said(filled: Run) -> None:
    poor = filled("search", "a", "submarine")
    assert "Nothing relevant. The closest:" in poor.out
    none = filled("search", "a", "submarine", "--min-relevance", 0.5)
    assert none.code == 0
    assert "Nothing relevant: no file is there that passes" in none.out
    answer = json.loads(filled("search", "red", "--min-relevance", 0.5, "--json").out)
    assert answer["hits"]
    assert min(hit["relevance"] for hit in answer["hits"]) >= 0.5


def test_moments_one_by_one(filled: Run) -> None:
    hits = json.loads(filled("search", "blue", "--points", "--json").out)["hits"]
    assert [hit["payload"]["name"] for hit in hits].count("film.mp4") > 1


def test_by_image_by_point_and_without(filled: Run, tmp_path: Path) -> None:
    query = tmp_path / "query.png"
    query.write_bytes(encoded(plain("green"), "PNG"))
    found = json.loads(filled("search", "--image", query, "--json").out)["hits"][0]
    assert found["payload"]["name"] == "green.jpg"
    same = json.loads(filled("search", "--point", found["id"], "--json").out)["hits"][0]
    assert same["id"] == found["id"]
    ran = filled("search", "yellow", "--minus", "red", "--json")
    names = [hit["payload"]["name"] for hit in json.loads(ran.out)["hits"]]
    assert names.index("green.jpg") < names.index("red.jpg")


def test_the_query_can_come_from_stdin(filled: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("green\n"))
    assert "green.jpg" in filled("search", "-", "-n", 1).out


def test_a_filter_narrows(filled: Run) -> None:
    condition = '{"must": [{"key": "kind", "match": {"value": "image"}}]}'
    assert "film.mp4" not in filled("search", "blue", "--filter", condition).out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "the query is empty"),
        ([" "], "the query text is empty"),
        (["red", "-c", "nowhere"], "there is no collection 'nowhere'; there are: default"),
        (["red", "--filter", "{"], "--filter is not JSON"),
        (["red", "--filter", '{"must": [{"key": "a", "equals": 1}]}'], "unknown 'equals'"),
        (["red", "-n", "0"], "limit is 1 to"),
        (["--minus", "red"], "positive weight"),
        (["--point", "00000000-0000-0000-0000-000000000000"], "no point"),
        (["red", "--cursor", "abc"], "not a complete cursor"),
        (["red", "--rerank", "5"], "cannot match a picture with a text"),
        (["red", "-e", "offline"], "made by another encoder"),
    ],
)
def test_a_bad_query_says_what_is_wrong(filled: Run, arguments: list[str], problem: str) -> None:
    ran = filled("search", *arguments)
    assert ran.code == 1
    assert problem in ran.err
    assert "Traceback" not in ran.err


def test_a_query_image_that_is_no_image(filled: Run, tmp_path: Path) -> None:
    fake = tmp_path / "fake.png"
    fake.write_text("not a picture")
    ran = filled("search", "--image", fake)
    assert ran.code == 1
    assert "fake.png" in ran.err


def test_hits_as_pictures(filled: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", "true %s")
    assert filled("search", "blue", "--open").code == 0
    page = (tmp_path / "data" / "search.html").read_text("utf-8")
    assert page.count("data:image/webp;base64,") == 1


def test_a_text_query_with_the_offline_encoder_is_light(run: Run, photos: Path) -> None:
    """It answers in a fresh process without torch, transformers or the HTTP service."""
    assert run("ingest", photos, "-e", "offline", "-c", "real").code == 0
    script = (
        "import sys\n"
        "sys.argv = ['polylens', 'search', 'un gato', '-c', 'real', '-e', 'offline']\n"
        "from api.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    heavy = {'torch', 'transformers', 'fastapi', 'decord', 'av'} & sys.modules.keys()\n"
        "    assert not heavy, heavy\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
    assert "Nothing relevant" in ended.stdout
