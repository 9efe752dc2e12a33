import csv
import io
import json
from pathlib import Path

from ingestion import Journal
from tests.api.cli.conftest import Run


def test_no_job_yet(run: Run) -> None:
    assert "Start one with: polylens ingest FOLDER" in run("jobs", "list").out
    assert run("jobs", "failures").code == 2
    ran = run("jobs", "show", 3)
    assert ran.code == 2
    assert "no job 3" in ran.err


def test_jobs_are_listed_and_shown(run: Run, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"")
    run("ingest", photos)
    run("ingest", photos, "--force")
    listed = run("jobs", "list").out.splitlines()
    assert listed[1].split()[:5] == ["2", "5", "4", "1", "done"]
    assert listed[2].split()[0] == "1"
    lines = [json.loads(line) for line in run("jobs", "list", "--json", "-n", 1).out.splitlines()]
    assert [(job["id"], job["counts"]["done"]) for job in lines] == [(2, 4)]
    shown = run("jobs", "show", 2).out
    assert str(photos) in shown
    assert "4 done" in shown
    assert "polylens jobs failures 2" in shown
    assert json.loads(run("jobs", "show", 2, "--json").out)["options"] == {"force": True}


def test_failures_are_told_for_people_and_programs(run: Run, photos: Path) -> None:
    (photos / "broken, really.jpg").write_bytes(b"")
    (photos / "notes.txt").write_text("x")
    run("ingest", photos)
    assert "the file is empty" in run("jobs", "failures").out
    (row,) = csv.DictReader(io.StringIO(run("jobs", "failures", 1, "-f", "csv").out))
    assert (row["status"], row["reason"], row["attempts"]) == ("failed", "the file is empty", "1")
    assert row["asset"].endswith("broken%2C%20really.jpg")
    assert row["source"] == photos.as_uri()
    lines = run("jobs", "failures", "-f", "jsonl", "--skipped").out.splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["failed", "skipped"]
    (photos / "broken, really.jpg").unlink()
    run("ingest", photos)
    assert run("jobs", "failures", 1).out == ""


def test_a_job_that_failed_says_why(run: Run, photos: Path) -> None:
    run("ingest", photos, "--encoder", "offline", "--device", "nope")
    shown = run("jobs", "show", 1).out
    assert "1, failed" in shown
    assert "not a device" in shown
    assert "repeat the same polylens ingest" in shown


def test_a_job_of_the_queue_is_shown_and_cancelled(run: Run, tmp_path: Path, photos: Path) -> None:
    journal = Journal(tmp_path / "data")
    journal.submit("default", [photos.as_uri()], {"force": True}, "{}", most=1)
    assert "queued" in run("jobs", "list").out
    assert "polylens serve runs it" in run("jobs", "show", 1).out
    assert "job 1 is cancelled" in run("jobs", "cancel", 1).out
    assert "cancelled" in run("jobs", "list").out
    run("ingest", photos)
    ran = run("jobs", "cancel", 2)
    assert ran.code == 2
    assert "job 2 is over: done" in ran.err
