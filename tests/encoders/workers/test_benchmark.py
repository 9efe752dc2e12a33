"""The benchmark of the workers runs."""

import pytest

from benchmarks.workers import main


@pytest.mark.long
def test_it_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--rounds", "1"])
    out = capsys.readouterr().out
    for row in ("| InternVL, bytes |", "| two threads |", "| two processes |"):
        assert row in out
