from pathlib import Path

import numpy as np
import pytest

from encoders.fake import FakeEncoder
from indexer import Collection, Filter, LocalCollection, Point, point_id
from indexer.qdrant.store import QdrantStore
from ingestion import find_duplicates, forget, ingest, record_duplicates, walk
from ingestion.alike import SAME_BITS, Hashes, keepers
from retrieval import diversity
from tests import media as make
from tests.ingestion.conftest import schema_of

BITS = np.uint64(1) << np.arange(64, dtype=np.uint64)


def turned(hashes: Hashes, chance: np.random.Generator, bits: int) -> Hashes:
    """The same hashes, `bits` bits of each turned over."""
    which = chance.permuted(np.tile(BITS, (len(hashes), 1)), axis=1)
    flips: Hashes = np.bitwise_xor.reduce(which[:, :bits], axis=1)
    return hashes ^ flips


def distances(hashes: Hashes, others: Hashes) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    found: np.ndarray[tuple[int, int], np.dtype[np.uint8]] = np.bitwise_count(
        hashes[:, None] ^ others
    )
    return found


@pytest.mark.parametrize("bits", range(SAME_BITS + 2))
def test_hashes_that_differ_in_few_bits_are_found(bits: int) -> None:
    chance = np.random.default_rng(bits)
    some = chance.integers(0, 2**64, 400, dtype=np.uint64)
    hashes = np.unique(np.concatenate((some, turned(some[:100], chance, bits))))
    chance.shuffle(hashes)
    apart = distances(hashes, hashes)
    near = np.tril(apart <= SAME_BITS, -1)
    kept = keepers(hashes)
    assert ((kept != np.arange(len(kept))) == near.any(axis=1)).all()
    assert near.any() == (0 < bits <= SAME_BITS)


def test_in_a_dense_cluster_each_is_near_the_one_that_stands_for_it() -> None:
    chance = np.random.default_rng(1)
    middle = chance.integers(0, 2**64, 3, dtype=np.uint64).repeat(1000)
    spread = np.concatenate([turned(middle, chance, bits) for bits in range(9)])
    hashes = spread[np.sort(np.unique(spread, return_index=True)[1])]
    kept = keepers(hashes)
    assert (kept[kept] == kept).all()
    assert (kept <= np.arange(len(kept))).all()
    assert np.bitwise_count(hashes ^ hashes[kept]).max() <= SAME_BITS
    assert (kept == np.arange(len(kept))).sum() < len(kept) / 10


def test_a_search_takes_the_same_pictures_for_the_same() -> None:
    assert SAME_BITS == diversity.SAME_BITS


def fill(folder: Path) -> None:
    """Pictures, of which one is there in three sizes, and a film twice."""
    make.save_pictures(folder, 6)
    whole = make.picture(3, (640, 480))
    (folder / "large.jpg").write_bytes(make.encoded(whole))
    (folder / "small.png").write_bytes(make.encoded(whole.resize((320, 240)), "PNG"))
    (folder / "plain.png").write_bytes(make.encoded(make.plain("red"), "PNG"))
    (folder / "plain2.png").write_bytes(make.encoded(make.plain("lime"), "PNG"))
    shots = make.frames(["red", "lime"], each=30)
    make.save_video(folder / "film.mp4", shots)
    make.save_video(folder / "film.mkv", shots)
    make.save_video(folder / "long.mp4", [*shots, *shots])


def brought_up(folder: Path, collection: Collection) -> dict[str, str]:
    """Ingest a folder; which file is taken for a copy of which, as the payloads tell."""
    for _ in ingest(walk(folder), FakeEncoder(), collection):
        pass
    record_duplicates(collection, find_duplicates(collection))
    return named(collection)


def named(collection: Collection) -> dict[str, str]:
    records = collection.scroll(limit=10_000).records
    return {
        record.asset.rpartition("/")[2]: record.payload["duplicate_of"].rpartition("/")[2]
        for record in records
        if "duplicate_of" in record.payload
    }


@pytest.fixture(params=["local", "qdrant"])
def either(
    request: pytest.FixtureRequest, collection: LocalCollection, tmp_path: Path
) -> Collection:
    if request.param == "local":
        return collection
    return QdrantStore(":memory:", tmp_path / "q").create("photos", schema_of(FakeEncoder()))


def test_copies_name_the_best_of_them(either: Collection, media: Path) -> None:
    fill(media)
    assert brought_up(media, either) == {
        "00003.jpg": "large.jpg",
        "small.png": "large.jpg",
        "film.mkv": "film.mp4",
    }
    pictures, films = find_duplicates(either)
    if pictures.best.duration:
        pictures, films = films, pictures
    assert [copy.width for copy in pictures.others] == [320, 64]
    assert pictures.spare == sum((media / n).stat().st_size for n in ("small.png", "00003.jpg"))
    assert record_duplicates(either, [pictures, films]) == 0
    unique = Filter.parse(
        {
            "must": [
                {"is_empty": {"key": "duplicate_of"}},
                {"key": "kind", "match": {"value": "image"}},
            ]
        }
    )
    assert either.count(unique) == 8


def test_what_is_recorded_follows_the_files(collection: LocalCollection, media: Path) -> None:
    fill(media)
    brought_up(media, collection)
    forget(collection, [(media / "large.jpg").as_uri(), (media / "film.mp4").as_uri()])
    record_duplicates(collection, find_duplicates(collection))
    assert named(collection) == {"00003.jpg": "small.png"}
    (media / "large.jpg").unlink()
    (media / "film.mp4").unlink()
    (media / "small.png").write_bytes(make.encoded(make.picture(99), "PNG"))
    (media / "00004.jpg").write_bytes(make.encoded(make.picture(5, (400, 300))))
    assert brought_up(media, collection) == {"00005.jpg": "00004.jpg"}


def test_points_by_hand_do_no_harm(collection: LocalCollection) -> None:
    vector = {"default": np.eye(1, collection.schema.vectors["default"], dtype=np.float32)[0]}
    odd = [7, None, "no hash", "0" * 16, "0" * 16]
    collection.upsert(
        [
            Point(point_id(f"a{at}", "image"), f"a{at}", vector, {"kind": "image", "phash": one})
            for at, one in enumerate(odd)
        ]
    )
    (group,) = find_duplicates(collection)
    assert {group.best.asset, group.others[0].asset} == {"a3", "a4"}
    assert record_duplicates(collection, [group]) == 1


def test_nothing_is_no_duplicate(collection: LocalCollection) -> None:
    assert find_duplicates(collection) == []
    assert record_duplicates(collection, []) == 0
