"""Words: how texts are cut, and the points that hold all words of a query, in every store."""

import unicodedata
from typing import Any

import numpy as np
import pytest

from indexer import (
    AssetWrite,
    Collection,
    Filter,
    InvalidQuery,
    LedgerRow,
    Point,
    Schema,
    Store,
    point_id,
)
from indexer.words import asked, words_of

TEXTS: dict[str, Any] = {
    "bike": {"text": "A red bicycle leans on a wall."},
    "bikes": {"caption": "RED Bicycles, and a red bicycle"},
    "both": {"text": "something red", "caption": "a bicycle"},
    "short": {"text": "Red bicycle"},
    "cat": {"text": "窗台上的一只猫咪在晒太阳"},
    "cats": {"caption": ["猫", "café noir"]},
    "hindi": {"text": "एक लाल बिल्ली"},
    "arabic": {"text": "قِطّة حمراء"},
    "thai": {"caption": "รถจักรยานยนต์สีแดง"},
    "none": {"title": "a red bicycle", "text": 7, "caption": None},
}
QUERIES: list[tuple[str, list[str]]] = [
    ("red bicycle", ["short", "bike", "both", "bikes"]),
    ("BICYCLE, red!", ["short", "bike", "both", "bikes"]),
    ("bicycles", ["bikes"]),
    ("red bicycle wall", ["bike"]),
    ("red boat", []),
    ("猫咪", ["cat"]),
    ("猫", ["cats", "cat"]),
    ("太阳 猫咪", ["cat"]),
    ("阳太", []),
    ("cafe", ["cats"]),
    ("CAFÉ", ["cats"]),
    ("बिल्ली", ["hindi"]),
    ("قطة", ["arabic"]),
    ("จักรยาน", ["thai"]),
    ("ﬁsh", []),
    ("!!! ---", []),
    ('red" OR "a', []),
    ("held:red NOT bicycle*", []),
    ("red\0bicycle", ["short", "bike", "both", "bikes"]),
    ("'; DROP TABLE words; --", []),
    (" ".join(f"w{n}" for n in range(3000)), []),
]


def a_point(asset: str, payload: dict[str, Any]) -> Point:
    vector = np.random.default_rng(list(asset.encode())).normal(size=4).astype(np.float32)
    return Point(point_id(asset, "image"), asset, {"default": vector}, payload)


@pytest.fixture
def collection(store: Store) -> Collection:
    made = store.create("texts", Schema({"default": 4}))
    made.upsert([a_point(asset, payload) for asset, payload in TEXTS.items()])
    return made


def found(collection: Collection, text: str, **more: Any) -> list[str]:  # noqa: ANN401
    return [hit.asset for hit in collection.find_text(text, **more)]


def test_every_word_must_be_there_and_the_shortest_text_is_first(collection: Collection) -> None:
    for text, expected in QUERIES:
        hits = collection.find_text(text, limit=20)
        assert sorted(hit.asset for hit in hits) == sorted(expected), text
        assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.id))
        assert [hit.payload for hit in hits] == [TEXTS[hit.asset] for hit in hits]
    exact = collection.find_text("red bicycle", limit=1)
    assert [(hit.asset, hit.score) for hit in exact] == [("short", 1.0)]
    assert collection.find_text("猫")[0].score == pytest.approx(1 / 3)


def test_a_filter_narrows_and_a_limit_is_checked(collection: Collection) -> None:
    tree = Filter.parse({"must": [{"is_empty": {"key": "caption"}}]})
    assert set(found(collection, "red bicycle", filter=tree)) == {"bike", "short"}
    nothing = Filter.parse({"must": [{"has_id": []}]})
    assert found(collection, "red bicycle", filter=nothing) == []
    assert len(found(collection, "red", limit=2)) == 2
    with pytest.raises(InvalidQuery, match="limit"):
        collection.find_text("red", limit=0)


def test_of_very_many_only_some_are_looked_at(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("local.read", "qdrant.collection"):
        monkeypatch.setattr(f"indexer.{module}.MOST_FOUND", 3)
    some = found(collection, "red")
    assert len(some) == len(set(some) & {"bike", "bikes", "both", "short"}) == 3
    assert found(collection, "red wall") == ["bike"]


def test_words_follow_every_edit(collection: Collection) -> None:
    bike, short = point_id("bike", "image"), point_id("short", "image")
    collection.set_payload([bike], {"caption": "a green boat"})
    assert found(collection, "green boat") == ["bike"]
    assert found(collection, "green bicycle") == ["bike"]
    collection.delete_payload([bike], ["text"])
    assert found(collection, "green bicycle") == []
    collection.set_payload([bike], {"caption": None})
    assert found(collection, "boat") == []
    collection.upsert([a_point("short", {"text": "a blue boat"})])
    assert found(collection, "boat") == ["short"]
    assert "short" not in found(collection, "red")
    collection.stage([a_point("new", {"text": "a boat in the fog"})])
    assert found(collection, "fog") == []
    staged = Point(point_id("new", "image"), "new", {}, {"text": "a boat in the mist"})
    collection.replace([AssetWrite("new", [staged], LedgerRow("new", "done", points=1))])
    assert found(collection, "fog") == []
    assert found(collection, "boat mist") == ["new"]
    collection.replace([AssetWrite("new", [], LedgerRow("new", "skipped"))])
    assert collection.delete([short]) == 1
    assert found(collection, "boat") == []
    collection.delete(Filter())
    assert found(collection, "red") == []


def test_words_are_cut_alike_in_texts_and_queries() -> None:
    assert asked("Straße, STRASSE") == ["strasse"]
    assert asked("Ünï-cödé 3D") == ["uni", "code", "3d"]
    assert asked("東京tower駅") == ["東京", "tower", "駅"]
    assert asked("İstanbul ﬁsh ｶﾞｽ") == ["istanbul", "fish", "ガス"]
    assert words_of({"text": "東京駅"}).held == ("東", "京", "駅", "東京", "京駅")
    assert words_of({"text": "東京駅"}).size == 2
    assert not words_of({"title": "red", "text": [7, None, {"text": "red"}]})


def test_every_letter_of_ascii_is_cut_as_unicode_says() -> None:
    for letter in map(chr, range(128)):
        is_word = unicodedata.category(letter)[0] in "LNM"
        wanted = [f"a{letter}b".lower()] if is_word else ["a", "b"]
        assert asked(f"a{letter}b") == asked(f"a{letter}b\u00a0") == wanted, repr(letter)
