from contextlib import closing
from pathlib import Path

from indexer import LedgerRow, LocalCollection, LocalStore, Schema
from ingestion import Seen, Source, SourceOptions, open_source, vanished


def test_a_file_in_a_place_that_cannot_be_looked_at_is_not_gone(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 300)  # no file system takes such a name: an error other than absence
    made = LocalStore(tmp_path / "data").create("photos", Schema({"default": 2}))
    source = open_source(str(tmp_path), SourceOptions())
    with closing(made) as collection:
        for path in (long, tmp_path / "gone.jpg"):
            collection.ledger.record([LedgerRow(path.as_uri(), "done", points=1)])
        gone = vanished(collection.ledger, [source], Seen())
        assert [row.asset for row in gone] == [(tmp_path / "gone.jpg").as_uri()]


def test_of_very_many_those_are_gone_that_a_source_had_and_lists_no_more(tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"id": "0", "text": "x"}')
    source = open_source(str(tmp_path / "texts.jsonl"), SourceOptions())
    made = LocalStore(tmp_path / "data").create("texts", Schema({"default": 2}))
    ours = [LedgerRow(f"row:{n:04}", "done", source=source.uri) for n in range(2500)]
    others = [LedgerRow(f"row:{n:04}b", "done", source="another") for n in range(10)]
    seen, lost = Seen(), {7, 1000, 2400}
    for number, row in enumerate(ours):
        if number not in lost:
            seen.add(row.asset)
    with closing(made) as collection:
        collection.ledger.record([*ours, *others])
        gone = [row.asset for row in vanished(collection.ledger, [source], seen)]
    assert gone == [ours[number].asset for number in sorted(lost)]


def test_what_lay_on_a_disk_that_goes_away_meanwhile_is_not_gone(
    tmp_path: Path, collection: LocalCollection
) -> None:
    disk = tmp_path / "disk"
    for name in ("a/1.jpg", "b/2.jpg", "c/d/3.jpg"):
        (disk / name).parent.mkdir(parents=True)
        (disk / name).touch()
    source = open_source(str(disk), SourceOptions())
    record(collection, source)
    items, seen = iter(source), Seen()
    seen.add(next(items).asset)
    disk.rename(tmp_path / "away")
    for item in items:
        seen.add(item.asset)
    assert [*vanished(collection.ledger, [source], seen)] == []
    disk.mkdir()
    (disk / "a").mkdir()
    (disk / "a" / "1.jpg").touch()
    assert len([*vanished(collection.ledger, [source], listed(source))]) == 2


def record(collection: LocalCollection, source: Source) -> None:
    """Say in the ledger that all of a source was ingested."""
    rows = [LedgerRow(item.asset, "done", points=1, source=source.uri) for item in source]
    collection.ledger.record(rows)


def listed(source: Source) -> Seen:
    seen = Seen()
    for item in source:
        seen.add(item.asset)
    return seen
