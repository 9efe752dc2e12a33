"""Commands that ask a running service."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.cli.conftest import Run
from tests.api.conftest import fill
from tests.api.server import Served, serving
from tests.media import encoded, plain

COLOURS = ("red", "green", "blue")
HERE = ("-c", "colours", "--url")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("colours")
    for colour in COLOURS:
        (folder / f"{colour}.jpg").write_bytes(encoded(plain(colour)))
    with serving(tmp_path_factory.mktemp("library"), collection="colours") as served:
        fill(served.installation, "colours", folder)
        yield served


def test_searches_ask_as_they_would_here(run: Run, library: Served, tmp_path: Path) -> None:
    answer = json.loads(run("search", "deep", "blue", "-n", "2", *HERE, library.url, "--json").out)
    assert [hit["payload"]["name"] for hit in answer["hits"]][:1] == ["blue.jpg"]
    assert len(answer["hits"]) == 2
    picture = tmp_path / "red.png"
    original = f"/v1/collections/colours/points/{answer['hits'][0]['id']}/original"
    picture.write_bytes(library.client.get(original).content)
    only = '{"must": [{"key": "kind", "match": {"value": "image"}}]}'
    shown = run("search", "--image", picture, "--filter", only, "--explain", *HERE, library.url)
    assert "blue.jpg" in shown.out
    assert "What was done" in shown.out


def test_refusals_are_told(run: Run, library: Served) -> None:
    ran = run("search", "red", "-c", "nowhere", "--url", library.url)
    assert (ran.code, ran.out) == (1, "")
    assert "there is no collection 'nowhere'" in ran.err
    assert run("search", "red", "--open", "--url", library.url).code == 2


def test_who_lacks_the_key_is_told_which_setting_has_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path, api_keys=["0" * 64]) as closed:
        ran = run("search", "red", "--url", closed.url)
        assert ran.code == 1
        assert "API key" in ran.err
        assert "client_key" in ran.err
        monkeypatch.setenv("POLYLENS_CLIENT_KEY", "wrong")
        assert "not known here" in run("status", "--url", closed.url).err


def test_status(run: Run, library: Served) -> None:
    shown = run("status", "--url", library.url).out
    assert "colours" in shown
    assert "ready" in shown
    assert json.loads(run("status", "--json", "--url", library.url).out)["ready"]
    away = run("status", "--url", "http://127.0.0.1:1")
    assert away.code == 1
    assert "cannot be reached" in away.err


def test_bench(run: Run, library: Served, photos: Path) -> None:
    flags = ("--clients", "2", "--seconds", "0.2")
    assert "searches/s" in run("bench", *flags, *HERE, library.url).out
    image = photos / "red.jpg"
    assert run("bench", *flags, "--image", image, *HERE, library.url).code == 0
    ran = run("bench", *flags, "-c", "nowhere", "--url", library.url)
    assert (ran.code, ran.out) == (1, "")
    assert "there is no collection 'nowhere'" in ran.err
    assert "cannot be reached" in run("bench", *flags, "--url", "http://127.0.0.1:1").err
    run("ingest", photos)
    assert run("bench", *flags).code == 0
