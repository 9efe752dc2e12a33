"""Near-duplicates: which of the pictures and videos that look alike is the best."""

import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from indexer.base import Collection, Kind, Payload, Record
from indexer.filters import Filter
from ingestion.alike import Hashes, keepers
from ingestion.feeding import grouped
from ingestion.patience import Patience
from ingestion.payloads import DUPLICATE_OF
from ingestion.writing import WRITERS

KINDS: tuple[Kind, ...] = ("image", "video")
HASH = re.compile(r"[0-9a-f]{16}")
PAGE = 1000  # points read, or changed, at a time
SHORTER = 0.02  # of the longer of two videos, that the other may lack
MOMENT = 1.0  # seconds that it may lack in any case

MARKED = Filter.parse({"must_not": [{"is_empty": {"key": DUPLICATE_OF}}]})
"""The points that are named as copies of others."""


@dataclass(frozen=True)
class Copy:
    """A picture, or a whole video, among those that look like it.

    `size` is in bytes, `width` and `height` in pixels, `duration` in seconds. `recorded` is the
    asset that its payload names as the best of them, empty where it names none.
    """

    id: UUID
    asset: str
    size: int
    width: int
    height: int
    duration: float
    recorded: str

    @classmethod
    def of(cls, record: Record) -> "Copy":
        says = record.payload
        width, height, size = (int(_number(says, key)) for key in ("width", "height", "size"))
        recorded = str(says.get(DUPLICATE_OF, ""))
        seconds = _number(says, "duration")
        return cls(record.id, record.asset, size, width, height, seconds, recorded)

    def lasts_as(self, other: "Copy") -> bool:
        """Pictures all last 0 seconds."""
        lacking = abs(self.duration - other.duration)
        return lacking <= max(MOMENT, SHORTER * max(self.duration, other.duration))


@dataclass
class Group:
    """What looks the same: the best, and the others, better ones first."""

    best: Copy
    others: list[Copy] = field(default_factory=list)

    @property
    def spare(self) -> int:
        """Bytes of the others."""
        return sum(copy.size for copy in self.others)


def find_duplicates(collection: Collection) -> list[Group]:
    """The pictures that look alike, and the videos, those with the most bytes to spare first.

    Each has a perceptual hash near that of the best, which has most pixels, then most bytes, then
    is the oldest; videos last about as long, too. What is all but one colour has no hash, and is in
    no group.
    """
    groups = [group for kind in KINDS for group in _of_kind(collection, kind)]
    return sorted(groups, key=lambda group: (-group.spare, group.best.asset))


def record_duplicates(collection: Collection, groups: Sequence[Group]) -> int:
    """Have the payload of each copy name the asset of the best, as `duplicate_of`, and no other.

    Returns how many points were told something new.
    """
    patience = Patience()

    def tell(news: tuple[str, Sequence[UUID]]) -> int:
        best, ids = news
        return patience(lambda: collection.set_payload(ids, {DUPLICATE_OF: best}))

    def untell(ids: Sequence[UUID]) -> int:
        return patience(lambda: collection.delete_payload(ids, [DUPLICATE_OF]))

    copies = {copy.id for group in groups for copy in group.others}
    stale = (record.id for record in _points(collection, MARKED) if record.id not in copies)
    told = sum(map(untell, grouped(stale, PAGE)))
    with ThreadPoolExecutor(WRITERS) as pool:
        return told + sum(pool.map(tell, _news(groups)))


def _news(groups: Iterable[Group]) -> Iterator[tuple[str, Sequence[UUID]]]:
    """Assets, and the points that do not say yet that they are copies of them."""
    for group in groups:
        best = group.best.asset
        for ids in grouped((one.id for one in group.others if one.recorded != best), PAGE):
            yield best, ids


def _of_kind(collection: Collection, kind: Kind) -> Iterator[Group]:
    ids, hashes = _looks(collection, kind)
    patience = Patience()
    for places in _alike(hashes):
        copies: list[Copy] = []
        for page in grouped(places, PAGE):
            wanted = [UUID(bytes=ids[place].tobytes()) for place in page]
            copies += map(Copy.of, patience(partial(collection.get, wanted)))
        yield from _of_one_length(copies)


def _of_one_length(copies: Iterable[Copy]) -> Iterator[Group]:
    """Groups of those that look the same and last as long, where there are two or more."""
    groups: list[Group] = []
    for copy in copies:
        same = next((group for group in groups if copy.lasts_as(group.best)), None)
        if same:
            same.others.append(copy)
        else:
            groups.append(Group(copy))
    return (group for group in groups if group.others)


def _alike(hashes: Hashes) -> Iterator[list[int]]:
    """The places `[n]`, in order, of hashes that are near each other; those alone left out."""
    distinct, first, which = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    keeper = np.empty_like(order)
    keeper[order] = order[keepers(distinct[order])]
    groups = keeper[which]
    places = np.argsort(groups, kind="stable")
    edges = [0, *(np.flatnonzero(np.diff(groups[places])) + 1).tolist(), len(places)]
    for start, end in pairwise(edges):
        if end - start > 1:
            yield places[start:end].tolist()


def _looks(collection: Collection, kind: Kind) -> tuple[NDArray[np.uint8], Hashes]:
    """Ids, uint8 `[n, 16]`, and perceptual hashes `[n]` of the points that have one; best first."""
    only = Filter.parse({"must": [{"key": "kind", "match": {"value": kind}}]})
    ids, hashes, ranks = bytearray(), [], []
    for record in _points(collection, only):
        text = record.payload.get("phash")
        if isinstance(text, str) and HASH.fullmatch(text):
            ids += record.id.bytes
            hashes.append(int(text, 16))
            ranks.append(_rank(record.payload))
    order = np.lexsort(np.array(ranks, np.float64).reshape(-1, 3).T)
    every = np.frombuffer(ids, np.uint8).reshape(-1, 16)
    return every[order], np.array(hashes, np.uint64)[order]


def _rank(says: Payload) -> tuple[float, float, float]:
    """Less is better, the last counts most."""
    pixels = _number(says, "width") * _number(says, "height")
    return _number(says, "mtime_ns"), -_number(says, "size"), -pixels


def _number(says: Payload, key: str) -> float:
    value = says.get(key)
    return value if isinstance(value, int | float) else 0.0


def _points(collection: Collection, which: Filter) -> Iterator[Record]:
    patience, after, is_over = Patience(), None, False
    while not is_over:
        page = patience(partial(collection.scroll, which, limit=PAGE, after=after))
        yield from page.records
        after, is_over = page.next, page.next is None
