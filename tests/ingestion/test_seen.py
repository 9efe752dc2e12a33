from pathlib import Path

from ingestion import Item, Seen, distinct


def test_what_was_seen_is_known_with_its_place() -> None:
    seen = Seen()
    assert seen.add("a", 7) is None
    assert seen.add("a", 8) == 7
    assert "a" in seen
    assert "b" not in seen
    assert seen.add("\udcff") is None
    assert seen.missing(["c", "a", "\udcff", "b"]) == ["c", "b"]
    seen.close()


def test_each_asset_comes_once() -> None:
    items = [Item(name, Path(name)) for name in ("a", "b", "a")]
    seen = Seen()
    assert [item.asset for item in distinct(items, seen)] == ["a", "b"]
    assert "b" in seen
