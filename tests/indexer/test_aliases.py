"""Collections by other names, on every store."""

from collections.abc import Callable

import pytest

from indexer import CollectionExists, InvalidName, Store, UnknownCollection
from tests.indexer.local.points import SCHEMA, assert_holds, points


@pytest.fixture
def two(store: Store) -> Store:
    """A store with the collections `old` and `new`."""
    store.create("old", SCHEMA).upsert(points(range(5)))
    store.create("new", SCHEMA).upsert(points(range(7)))
    return store


def test_a_collection_is_opened_by_its_alias(two: Store) -> None:
    two.set_alias("photos", "old")
    two.set_alias("also", "old")
    assert two.aliases() == {"also": "old", "photos": "old"}
    assert two.names() == ["new", "old"]
    opened = two.open("photos")
    assert opened.name == "old"
    opened.upsert(points(range(5, 6)))
    assert_holds(two.open("old"), points(range(6)))


def test_it_is_cut_over_and_removed(two: Store) -> None:
    two.set_alias("photos", "old")
    before = two.open("photos")
    two.set_alias("photos", "new")
    two.set_alias("photos", "new")
    assert two.aliases() == {"photos": "new"}
    assert_holds(two.open("photos"), points(range(7)))
    assert_holds(before, points(range(5)))
    two.drop_alias("photos")
    assert two.aliases() == {}
    with pytest.raises(UnknownCollection, match="'photos'"):
        two.open("photos")
    assert two.names() == ["new", "old"]


def test_with_a_collection_go_its_aliases(two: Store) -> None:
    two.set_alias("photos", "old")
    two.set_alias("next", "new")
    two.drop("old")
    assert two.aliases() == {"next": "new"}
    two.create("old", SCHEMA)
    with pytest.raises(UnknownCollection):
        two.open("photos")
    two.create("photos", SCHEMA)
    assert two.open("photos").count() == 0


REFUSED: dict[str, tuple[Callable[[Store], object], type[Exception], str]] = {
    "of nothing": (lambda s: s.set_alias("a", "none"), UnknownCollection, "'none'"),
    "of an alias": (lambda s: s.set_alias("a", "photos"), UnknownCollection, "alias of .* 'old'"),
    "in place of a collection": (lambda s: s.set_alias("new", "old"), CollectionExists, "'new'"),
    "of itself": (lambda s: s.set_alias("old", "old"), CollectionExists, "'old'"),
    "a name that is none": (lambda s: s.set_alias("../a", "old"), InvalidName, r"\.\./a"),
    "a collection of its name": (
        lambda s: s.create("photos", SCHEMA),
        CollectionExists,
        "'photos' is an alias of collection 'old'",
    ),
    "dropped like a collection": (lambda s: s.drop("photos"), UnknownCollection, "alias of"),
    "removed twice": (lambda s: s.drop_alias("none"), UnknownCollection, "there are: photos"),
    "a collection removed as one": (lambda s: s.drop_alias("old"), UnknownCollection, "no alias"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_changes_nothing(two: Store, case: str) -> None:
    two.set_alias("photos", "old")
    attempt, error, words = REFUSED[case]
    with pytest.raises(error, match=words):
        attempt(two)
    assert two.aliases() == {"photos": "old"}
    assert two.names() == ["new", "old"]
    assert_holds(two.open("photos"), points(range(5)))
