from contextlib import closing
from pathlib import Path

from indexer import LedgerRow, LocalStore, Schema
from ingestion import Seen, SourceOptions, open_source, vanished


def test_a_file_in_a_place_that_cannot_be_looked_at_is_not_gone(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 300)  # no file system takes such a name: an error other than absence
    made = LocalStore(tmp_path / "data").create("photos", Schema({"default": 2}))
    source = open_source(str(tmp_path), SourceOptions())
    with closing(made) as collection:
        for path in (long, tmp_path / "gone.jpg"):
            collection.ledger.record([LedgerRow(path.as_uri(), "done", points=1)])
        gone = vanished(collection.ledger, [source], Seen())
        assert [row.asset for row in gone] == [(tmp_path / "gone.jpg").as_uri()]
