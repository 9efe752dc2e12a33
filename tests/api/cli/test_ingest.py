import json
from pathlib import Path
from uuid import uuid4

import pytest

from indexer import LocalStore, Point
from tests.api.cli.conftest import Run
from tests.indexer.qdrant.loopback import loopback
from tests.ingestion.test_archive import save_tar
from tests.ingestion.web_server import web_server
from tests.media import encoded, plain
from tests.users import unprivileged


def test_a_folder_is_ingested_once(run: Run, photos: Path) -> None:
    first = run("ingest", photos)
    assert first.code == 0
    assert "4 files found: 4 done, 0 unchanged, 0 skipped, 0 failed" in first.out
    again = run("ingest", photos)
    assert again.code == 0
    assert "0 done, 4 unchanged" in again.out


def test_several_devices_share_the_work(run: Run, photos: Path) -> None:
    ran = run("ingest", photos, "--device", "cpu,cpu")
    assert ran.code == 0, ran.err
    found = run("search", "red", "--device", "cpu,cpu", "--json")
    assert json.loads(found.out)["hits"]


def test_a_changed_file_is_done_again(run: Run, photos: Path) -> None:
    run("ingest", photos)
    (photos / "red.jpg").write_bytes(encoded(plain("cyan")))
    assert "1 done, 3 unchanged" in run("ingest", photos).out
    assert "red.jpg" in run("search", "cyan", "-n", 1).out


def test_several_sources_and_globs(run: Run, photos: Path) -> None:
    ran = run("ingest", photos / "red.jpg", photos, "--include", "*.jpg", "--exclude", "green*")
    assert ran.code == 0
    assert "2 done" in ran.out


def test_a_bad_file_is_told_and_the_run_goes_on(run: Run, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(encoded(plain("red"))[:60])
    ran = run("ingest", photos)
    assert ran.code == 3
    assert "broken.jpg" in ran.out
    assert "4 done" in ran.out
    assert "1 failed" in ran.out
    again = run("ingest", photos)
    assert again.code == 3
    assert "1 of the unchanged failed before: --retry-failed retries them" in again.out
    assert "broken.jpg" in again.out
    retried = run("ingest", photos, "--retry-failed")
    assert "1 failed" in retried.out


def test_what_was_skipped_is_told_by_reason(run: Run, photos: Path) -> None:
    (photos / "notes.txt").write_text("no picture")
    assert "skipped 1: not an image or a video" in run("ingest", photos).out
    assert "notes.txt" in run("ingest", photos, "--list-all").out


def test_many_failures_are_counted_and_listed_on_demand(run: Run, photos: Path) -> None:
    for number in range(23):
        (photos / f"broken{number}.jpg").write_bytes(b"")
    assert "... and 3 more: --list-all lists all" in run("ingest", photos).out
    assert run("ingest", photos, "--list-all").out.count("the file is empty") == 23


def test_a_file_that_is_gone_is_told_and_forgotten_on_demand(run: Run, photos: Path) -> None:
    run("ingest", photos)
    before = json.loads(run("ingest", photos, "--json").out)["collection_points"]
    (photos / "red.jpg").rename(photos.parent / "elsewhere.jpg")
    still = "1 file no longer exists but is still searchable: --prune removes missing files"
    assert still in run("ingest", photos).out
    pruned = run("ingest", photos, "--prune").out
    assert "1 file no longer exists and was removed" in pruned
    assert f"{before - 1} points in collection default" in pruned
    assert "red.jpg" not in run("search", "red").out
    (photos.parent / "elsewhere.jpg").rename(photos / "red.jpg")
    assert "1 done" in run("ingest", photos).out
    assert "red.jpg" in run("search", "red").out


def test_a_dry_run_writes_nothing(run: Run, photos: Path, tmp_path: Path) -> None:
    ran = run("ingest", photos, "--dry-run")
    assert ran.code == 0
    assert "4 files found: 4 new" in ran.out
    assert "3 images and 1 video," in ran.out
    assert not (tmp_path / "data").exists()


def test_nothing_to_ingest_is_an_error(run: Run, tmp_path: Path) -> None:
    missing = run("ingest", tmp_path / "nowhere")
    assert missing.code == 1
    assert "nowhere does not exist" in missing.err
    (tmp_path / "empty").mkdir()
    empty = run("ingest", tmp_path / "empty")
    assert empty.code == 1
    assert "holds no file" in empty.err
    assert not (tmp_path / "data" / "collections" / "default").exists()


def test_an_empty_source_is_not_the_working_directory(run: Run, photos: Path) -> None:
    ran = run("ingest", photos, "")
    assert ran.code == 2
    assert "use . for the current folder" in ran.err


def test_a_device_that_is_not_there_is_told_once(run: Run, photos: Path) -> None:
    ran = run("ingest", photos, "--encoder", "offline", "--device", "nope")
    assert ran.code == 1
    assert ran.err.count("'nope' is not a device") == 1
    assert "Traceback" not in ran.err


def test_a_folder_without_media_is_an_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("no picture")
    ran = run("ingest", tmp_path / "texts")
    assert ran.code == 1
    assert "1 skipped" in ran.out


def test_another_encoder_cannot_fill_a_collection(run: Run, photos: Path) -> None:
    run("ingest", photos)
    ran = run("ingest", photos, "--encoder", "offline")
    assert ran.code == 1
    assert "made by another encoder" in ran.err
    assert "into a new collection" in ran.err


def test_an_unknown_encoder_names_those_there_are(run: Run, photos: Path) -> None:
    ran = run("ingest", photos, "--encoder", "clipp")
    assert ran.code == 1
    assert "no encoder is called 'clipp'" in ran.err
    assert "offline" in ran.err


def test_options_of_videos_are_flags_and_settings(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "6 points written" in run("ingest", photos).out  # 3 pictures, 2 segments and their whole
    ran = run("ingest", photos, "--video-segment-seconds", "2", "--video-segment-frames", "1")
    assert "1 done, 3 unchanged" in ran.out
    assert "5 points written" in ran.out
    assert '"segment_seconds": 2.0' in run("jobs", "show", "2").out
    monkeypatch.setenv("POLYLENS_VIDEO_SEGMENT_SECONDS", "2")
    monkeypatch.setenv("POLYLENS_VIDEO_SEGMENT_FRAMES", "1")
    assert "0 done, 4 unchanged" in run("ingest", photos).out
    for flag in ("--video-shots", "--video-keyframes"):
        assert "1 done, 3 unchanged" in run("ingest", photos, flag).out
    refused = run("ingest", photos, "--video-frames", "0")
    assert (refused.code, "setting 'video_frames'" in refused.err) == (1, True)


def test_any_setting_is_a_flag(run: Run, photos: Path) -> None:
    with loopback() as qdrant:
        more = [
            *("--set", f"qdrant_url={qdrant.url}"),
            *("--set", "qdrant_shards=6"),
            *("--set", 'qdrant_indexes={"location": "place"}'),
        ]
        ran = run("ingest", photos, *more)
        assert ran.code == 0, ran.err
        assert qdrant.bodies["PUT /collections/{name}"].shard_number == 6
        assert '"location"' in qdrant.bodies["PUT /collections/{name}/index"].field_name
        assert "red.jpg" in run("search", "red", *more).out


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("qdrant_shards", 2, "NAME=VALUE"),
        ("qdrant_shards=none", 1, "setting 'qdrant_shards'"),
        ("prot=1", 1, "setting 'prot'"),
        ("roots=[", 2, "not JSON"),
        ("qdrant_write_consistency=2", 1, "more than qdrant_replicas"),
    ],
)
def test_a_flag_that_is_no_setting(
    run: Run, photos: Path, text: str, code: int, words: str
) -> None:
    ran = run("ingest", photos, "--set", text)
    assert (ran.code, words in ran.err) == (code, True), ran.err


def test_a_data_folder_that_may_not_be_written_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "red.jpg").write_bytes(encoded(plain("red")))
    (tmp_path / "closed").mkdir(mode=0o555)
    monkeypatch.chdir(tmp_path)
    with unprivileged():
        ran = run("ingest", "red.jpg", "--data", "closed/data")
    assert ran.code == 1
    assert "Permission denied" in ran.err
    assert "closed" in ran.err


def test_a_data_folder_that_may_only_be_read_says_so(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    data = tmp_path / "kept"
    assert run("ingest", photos, "--data", data).code == 0
    for path in [*data.rglob("*"), data]:
        path.chmod(path.stat().st_mode & ~0o222)
    with unprivileged():
        ran = run("ingest", photos, "--data", data, "--force")
    assert ran.code == 1
    assert f"could not use {data / 'polylens.db'}" in ran.err
    assert "this user may not write there" in ran.err


def test_a_settings_file_that_may_not_be_read_says_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "polylens.toml").touch(mode=0)
    monkeypatch.chdir(tmp_path)
    with unprivileged():
        ran = run("search", "x")
    assert (ran.code, "polylens.toml" in ran.err) == (2, True)


def test_a_manifest_and_a_shard(run: Run, photos: Path) -> None:
    (photos / "m.csv").write_text("path,text\nred.jpg,fire\nnowhere.jpg,x\n")
    ran = run("ingest", photos / "m.csv")
    assert ran.code == 3
    assert "2 files found: 1 done, 0 unchanged, 0 skipped, 1 failed" in ran.out
    assert "nowhere.jpg: cannot be read: No such file" in ran.out
    (photos / "m.csv").write_text("path,text\nred.jpg,fire\n")
    again = run("ingest", photos / "m.csv", "--prune")
    assert (again.code, "nowhere" in again.out) == (0, False)
    save_tar(photos / "s.tar", [("1.jpg", encoded(plain("cyan"))), ("1.txt", b"the sea")])
    ran = run("ingest", photos / "s.tar", "--texts")
    assert ran.code == 0
    assert "2 points written" in ran.out
    assert "the sea" in run("search", "cyan", "--json").out


def test_texts_alone_need_no_image_tower(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"id": 1, "text": "ein rotes Boot"}\n')
    ran = run("ingest", tmp_path / "t.jsonl", "--encoder", "offline")
    assert ran.code == 0, ran.err
    found = json.loads(run("search", "red boat", "--encoder", "offline", "--json").out)
    assert found["hits"][0]["payload"]["text"] == "ein rotes Boot"


def test_urls_of_a_manifest_need_leave(run: Run, tmp_path: Path) -> None:
    with web_server() as server:
        server.files["/1.jpg"] = encoded(plain("red"))
        (tmp_path / "m.csv").write_text(f"url\n{server.url}/1.jpg\n")
        ran = run("ingest", tmp_path / "m.csv")
        assert ran.code == 1
        assert "--fetch-hosts 127.0.0.1 allows it" in ran.out
        ran = run("ingest", tmp_path / "m.csv", "--fetch-hosts", "127.0.0.1", "--retry-failed")
        assert "not public" in ran.out
        more = ("--fetch-hosts", "127.0.0.1", "--set", 'fetch_private_hosts=["127.0.0.1"]')
        ran = run("ingest", tmp_path / "m.csv", *more, "--retry-failed", "--reason", "NOT PUBLIC")
        assert ran.code == 0, ran.out
        server.files["/m.jsonl"] = b'{"url": "1.jpg", "text": "fire"}'
        assert "1 done" in run("ingest", f"{server.url}/m.jsonl").out


def test_only_failures_of_one_reason_are_tried_again(run: Run, photos: Path) -> None:
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "cut.jpg").write_bytes(encoded(plain("red"))[:60])
    run("ingest", photos)
    report = json.loads(
        run("ingest", photos, "--retry-failed", "--reason", "is empty", "--json").out
    )
    assert (report["failed"], report["unchanged"]) == (1, 5)
    assert run("ingest", photos, "--reason", "x").code == 2


def test_force_does_everything_again(run: Run, photos: Path) -> None:
    run("ingest", photos)
    ran = run("ingest", photos, "--force")
    assert "4 done, 0 unchanged" in ran.out


def test_reports_and_plans_for_programs(run: Run, photos: Path) -> None:
    plan = json.loads(run("ingest", photos, "--dry-run", "--json").out)
    assert (plan["new"], plan["images"], plan["videos"]) == (4, 3, 1)
    assert plan["seconds"] > 0
    ran = run("ingest", photos, "--json")
    report = json.loads(ran.out)
    assert (report["job"], report["done"], report["gone"]) == (1, 4, 0)
    assert report["collection_points"] == report["ledger_points"] == report["points"] > 4
    assert "4 done" in ran.err


def test_points_that_are_missing_are_noticed(run: Run, photos: Path, tmp_path: Path) -> None:
    run("ingest", photos)
    collection = LocalStore(tmp_path / "data").open("default")
    collection.delete([collection.scroll(limit=1).records[0].id])
    collection.close()
    ran = run("ingest", photos)
    assert ran.code == 4
    assert "but the ledger has" in ran.out
    assert run("ingest", photos, "--force").code == 0


def test_points_from_elsewhere_are_no_loss(run: Run, photos: Path, tmp_path: Path) -> None:
    run("ingest", photos)
    collection = LocalStore(tmp_path / "data").open("default")
    vector = collection.scroll(with_vectors=["default"]).records[0].vectors
    collection.upsert([Point(uuid4(), "by hand", vector)])
    collection.close()
    ran = run("ingest", photos)
    assert ran.code == 0
    assert "the rest added directly" in ran.out


@pytest.mark.parametrize(("name", "data"), [("notes.txt", b"words"), ("bad.jpg", b"words")])
def test_a_rerun_over_nothing_that_is_searchable_is_an_error_too(
    run: Run, tmp_path: Path, name: str, data: bytes
) -> None:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / name).write_bytes(data)
    assert [run("ingest", "none").code for _ in range(3)] == [1, 1, 1]
    (tmp_path / "none" / "red.jpg").write_bytes(encoded(plain("red")))
    assert run("ingest", "none").code == run("ingest", "none").code in (0, 3)
