import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.api.cli.conftest import Run
from tests.indexer.conftest import qdrant, qdrant_server
from tests.indexer.qdrant.loopback import Loopback
from tests.users import unprivileged

__all__ = ["qdrant", "qdrant_server"]


@pytest.fixture
def filled(run: Run, photos: Path) -> Run:
    assert run("ingest", photos).code == 0
    return run


def told(run: Run, *arguments: object) -> dict[str, Any]:
    ran = run("index", *arguments, "--json")
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_info_for_people_and_for_programs(filled: Run) -> None:
    assert "points      6" in filled("index", "info").out
    found = told(filled, "info")
    assert (found["collection"], found["points"], found["encoder"]) == ("default", 6, "fake")
    assert found["disk"]["vectors"] > 4 * 6 * found["vectors"]["default"]


def test_build_seals_what_there_is_and_info_tells(filled: Run) -> None:
    built = told(filled, "build")
    [index] = built["index"]
    assert (index["vector"], index["rows"], index["unsealed"]) == ("default", 6, 0)
    [segment] = index["segments"]
    assert (segment["rows"], segment["dead"], segment["usable"]) == (6, 0, True)
    assert all(recall >= 0.98 for recall in segment["recall"].values())
    assert told(filled, "info")["index"] == built["index"]
    assert f"kind {segment['kind']}" in filled("index", "info").out


def test_build_where_nothing_may_be_written_says_so(
    filled: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(filled, "build")
    [segments] = tmp_path.rglob("segments")
    segments.chmod(0o555)
    monkeypatch.setenv("POLYLENS_INDEX_KIND", "hnsw-sq8")
    with unprivileged():
        ran = filled("index", "build")
    assert ran.code == 1
    assert f"cannot write to {segments}: Permission denied; allow this user to write" in ran.err
    assert "faiss" not in ran.err


def test_compact_gives_room_back(filled: Run, photos: Path) -> None:
    (photos / "film.mp4").unlink()
    assert filled("ingest", photos, "--prune").code == 0
    before = told(filled, "info")
    assert (before["points"], before["disk"]["dead"]) == (3, 3)
    found = told(filled, "compact")
    assert found["points"] == 3
    assert found["after"] < found["before"]
    after = told(filled, "info")
    assert (after["points"], after["disk"]["dead"], after["disk"]["dead_bytes"]) == (3, 0, 0)
    assert told(filled, "verify")["bytes"] == 4 * 3 * after["vectors"]["default"]


def test_what_was_backed_up_comes_back(filled: Run, tmp_path: Path) -> None:
    given = told(filled, "snapshot", "photos.tar")
    assert (given["points"], Path(given["snapshot"])) == (6, Path("photos.tar"))
    default = Path(told(filled, "snapshot")["snapshot"])
    assert default.parent == tmp_path / "data" / "snapshots"
    taken = filled("index", "restore", "photos.tar")
    assert taken.code == 1
    assert "'default' exists already" in taken.err
    assert told(filled, "restore", default, "-c", "copy") == {"collection": "copy", "points": 6}
    shutil.rmtree(tmp_path / "data")
    assert told(filled, "restore", "photos.tar") == {"collection": "default", "points": 6}
    assert "red.jpg" in filled("search", "red", "-n", 2).out


def test_damage_is_named(filled: Run, tmp_path: Path) -> None:
    [path] = (tmp_path / "data" / "collections" / "default" / "vectors").iterdir()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    ran = filled("index", "verify")
    assert ran.code == 1
    assert f"{path}: rows" in ran.err
    assert "do not match their checksum" in filled("index", "snapshot").err


def test_doctor_lists_a_collection_without_its_database(filled: Run, tmp_path: Path) -> None:
    (tmp_path / "data" / "collections" / "default" / "collection.db").unlink()
    ran = filled("doctor")
    assert ran.code == 1
    assert "FAIL collection default: collection 'default' lacks its file collection.db" in ran.out


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["restore", "none.tar"], "No such file"),
        (["restore", "."], "Is a directory"),
        (["compact", "-c", "none"], "there is no collection 'none'"),
        (["snapshot", "/proc/none/x.tar"], "could not write the snapshot"),
        (["migrate", "qdrant:6333"], "'qdrant:6333' is not a URL: write http://qdrant:6333"),
    ],
)
def test_what_cannot_be_done_is_said(filled: Run, arguments: list[str], problem: str) -> None:
    ran = filled("index", *arguments)
    assert ran.code == 1
    assert problem in ran.err


def test_a_server_looks_after_its_own_files(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYLENS_QDRANT_URL", ":memory:")
    ran = run("index", "restore", "x.tar")
    assert ran.code == 1
    assert "Qdrant server here" in ran.err


@pytest.mark.parametrize("address", ["qdrant:6333", "10.0.0.9:6333/", "localhost:6333"])
def test_an_address_without_a_scheme_is_no_folder(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("POLYLENS_QDRANT_URL", address)
    ran = run("ingest", photos)
    assert (ran.code, f"write http://{address} (or https://)" in ran.err) == (1, True)
    assert not (tmp_path / address).exists()


def test_a_collection_moves_through_parquet(filled: Run, tmp_path: Path) -> None:
    given = told(filled, "export", "out")
    assert given == {"collection": "default", "points": 6, "assets": 4}
    assert sorted(path.name for path in (tmp_path / "out").glob("*.parquet")) == [
        "ledger.parquet",
        "points.parquet",
    ]
    taken = told(filled, "import", "out", "-c", "copy")
    assert taken == {"collection": "copy", "points": 6, "assets": 4}
    again = filled("ingest", "photos", "-c", "copy")
    assert "4 unchanged" in again.out
    assert "exists already" in filled("index", "export", "out").err


def test_a_collection_moves_to_another_folder(filled: Run, tmp_path: Path) -> None:
    found = told(filled, "migrate", "other", "--name", "moved")
    assert (found["collection"], found["points"], found["assets"]) == ("moved", 6, 4)
    assert told(filled, "info", "--data", tmp_path / "other", "-c", "moved")["points"] == 6
    assert told(filled, "migrate", "other", "--name", "moved")["written"] == 0


def test_an_alias_takes_the_place_of_a_collection(filled: Run) -> None:
    assert "none" in filled("index", "alias").out
    assert told(filled, "alias", "photos", "default") == {"photos": "default"}
    assert "red.jpg" in filled("search", "red", "-n", 2, "-c", "photos").out
    told(filled, "snapshot", "x.tar", "-c", "photos")
    told(filled, "restore", "x.tar", "-c", "next")
    assert told(filled, "alias", "photos", "next") == {"photos": "next"}
    assert told(filled, "info", "-c", "photos")["collection"] == "next"
    assert told(filled, "alias", "photos", "--remove") == {"aliases": "none"}
    gone = filled("index", "alias", "photos", "--remove")
    assert (gone.code, gone.err) == (1, "polylens: there is no alias 'photos'; there are: none\n")
    for wrong in (["photos"], ["--remove"], ["photos", "default", "--remove"]):
        assert filled("index", "alias", *wrong).code == 2


def test_a_backfill_with_the_same_encoder_has_nothing_to_do(filled: Run) -> None:
    ran = filled("index", "backfill")
    assert ran.code == 0
    assert "4 unchanged" in ran.out


def test_a_collection_moves_to_a_server_and_back(
    filled: Run, qdrant: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = told(filled, "migrate", qdrant.url)
    assert (there["collection"], there["points"], there["assets"]) == ("default", 6, 4)
    monkeypatch.setenv("POLYLENS_QDRANT_URL", qdrant.url)
    assert "red.jpg" in filled("search", "red", "-n", 2).out
    assert "on a Qdrant server" in filled("index", "compact").err
    back = told(filled, "migrate", tmp_path / "data", "--name", "back")
    assert back["checksum"] == there["checksum"]
    monkeypatch.delenv("POLYLENS_QDRANT_URL")
    assert told(filled, "info", "-c", "back")["points"] == 6


def test_calibrate_is_kept_shown_and_used(filled: Run) -> None:
    assert told(filled, "info")["relevance"] is None
    fitted = told(filled, "calibrate")["relevance"]
    assert fitted["points"] == 6
    assert told(filled, "info")["relevance"] == fitted
    explained = filled("search", "red", "--explain").out
    assert "background texts over 6 points" in explained
