"""The payload fields of a collection and their values, for building filters."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from api.schemas.collections import FieldList, FieldOut, FieldType, FieldValue
from indexer import Collection, Filter
from indexer.base import Payload
from indexer.payload import entries

SAMPLE = 2_000
"""Most points looked at. Ids are hashes, so the first in their order are a fair sample of all."""
PAGE = 500  # points read at once
MOST_FIELDS = 100
MOST_VALUES = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TYPES: dict[str, FieldType] = {
    "s": "text", "h": "text", "i": "number", "f": "number", "b": "flag", "g": "place",
}  # fmt: skip
"""By the types of `indexer.payload.Entry`; instants are told from other texts below."""


def fields(collection: Collection, of: Filter | None = None) -> FieldList:
    """The fields of at most `SAMPLE` points, those of a filter, the most frequent first."""
    found: defaultdict[str, _Field] = defaultdict(_Field)
    points = 0
    for payload in _payloads(collection, of):
        points += 1
        for key, kind, value in entries(payload):
            found[key].see(kind, value)
    described = (field.described(key) for key, field in found.items() if field.types)
    ordered = sorted(described, key=lambda field: (-field.points, field.key))
    return FieldList(
        fields=ordered[:MOST_FIELDS], points=points, sampled=points < collection.count(of)
    )


def _payloads(collection: Collection, of: Filter | None) -> Iterator[Payload]:
    after = None
    for _ in range(0, SAMPLE, PAGE):
        page = collection.scroll(of, limit=PAGE, after=after)
        yield from (record.payload for record in page.records)
        after = page.next
        if after is None:
            return


class _Field:
    """What was seen of one field."""

    def __init__(self) -> None:
        self.types: Counter[FieldType] = Counter()
        self._values: defaultdict[FieldType, Counter[str | float]] = defaultdict(Counter)
        self._instants: list[int] = []  # microseconds since 1970

    def see(self, kind: str, value: object) -> None:
        if kind == "t" and isinstance(value, int):
            self._instants.append(value)
        elif name := TYPES.get(kind):
            self.types[name] += 1
            if kind in "sifb" and isinstance(value, str | int | float):
                self._values[name][bool(value) if kind == "b" else value] += 1

    def described(self, key: str) -> FieldOut:
        """A field of several types is described by the most frequent."""
        kind, count = self.types.most_common(1)[0]
        values = self._values[kind]
        if kind == "text" and len(self._instants) == count:
            first, last = (_instant(end(self._instants)) for end in (min, max))
            return FieldOut(
                key=key, type="time", points=count, distinct=len(values), min=first, max=last
            )
        numbers = [value for value in values if kind == "number" and isinstance(value, int | float)]
        return FieldOut(
            key=key,
            type=kind,
            points=count,
            distinct=len(values),
            min=min(numbers, default=None),
            max=max(numbers, default=None),
            values=[
                FieldValue(value=value, points=n) for value, n in values.most_common(MOST_VALUES)
            ],
        )


def _instant(microseconds: int) -> str:
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat()
