import pytest

from api.jobs import told
from ingestion import JobRecord


def record(**counts: object) -> JobRecord:
    """A job at work, as the journal has it."""
    return JobRecord(1, "photos", [], {}, "fake", "running", 0.0, 20.0, counts)


def test_the_time_left_is_that_of_the_files_left_that_are_to_be_done() -> None:
    counts = {"found": 60, "done": 30, "skipped": 5, "failed": 5, "unchanged": 10, "seconds": 20.0}
    assert told(record(**counts, total=100)).eta == pytest.approx(25.0)  # 50 more at 2 a second
    assert told(record(**counts)).eta is None  # before they are counted
    assert told(record(**counts, total=45)).eta == 0.0  # some are gone since they were counted


def test_no_time_is_told_before_anything_is_done() -> None:
    assert told(record(found=10, unchanged=10, total=20, seconds=1.0)).eta is None
