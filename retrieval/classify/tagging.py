"""Label the points of a collection by their stored vectors."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from uuid import UUID

import numpy as np

from indexer import Collection, Filter, Record
from retrieval.classify.classifier import Classifier, Guess
from retrieval.errors import ClassifierMismatch

PAGE = 1_000  # points read at a time
EDIT = 10_000  # points written at a time

Labelled = tuple[Record, list[Guess]]


def classify_points(
    collection: Collection,
    classifier: Classifier,
    *,
    filter: Filter | None = None,  # noqa: A002 - the field's word for it
    top: int | None = None,
    at_least: float | None = None,
) -> Iterator[Labelled]:
    """Every point that matches, with its labels; see `Classifier.guess`. No model is needed.

    Raises `ClassifierMismatch` at the call.
    """
    require_stored(collection, classifier)
    return _classified(collection, classifier, filter, top, at_least)


def tag_points(collection: Collection, labelled: Iterable[Labelled], key: str) -> dict[str, int]:
    """Write each point's labels as a list under the payload key; returns how many have each.

    A point without any label gets an empty list. Points that are equally labelled are written
    together, after all were read.
    """
    alike: defaultdict[tuple[str, ...], list[UUID]] = defaultdict(list)
    counts: defaultdict[str, int] = defaultdict(int)
    for record, guesses in labelled:
        alike[tuple(guess.label for guess in guesses)].append(record.id)
    for labels, ids in alike.items():
        for start in range(0, len(ids), EDIT):
            collection.set_payload(ids[start : start + EDIT], {key: [*labels]})
        for label in labels:
            counts[label] += len(ids)
    return dict(counts)


def require_stored(collection: Collection, classifier: Classifier) -> None:
    """Raise `ClassifierMismatch` unless it can judge the vectors that a collection stores."""
    what = f"collection {collection.name!r}"
    schema = collection.schema
    classifier.require_fits(schema.vectors, schema.fingerprint, what)
    if not classifier.normalized:
        raise ClassifierMismatch(
            f"this classifier needs vectors as the model gives them, and {what} keeps only their "
            "directions: classify the files themselves"
        )


def _classified(
    collection: Collection,
    classifier: Classifier,
    filter: Filter | None,  # noqa: A002
    top: int | None,
    at_least: float | None,
) -> Iterator[Labelled]:
    name, after = classifier.vector, None
    while True:
        page = collection.scroll(filter, limit=PAGE, after=after, with_vectors=[name])
        records = [record for record in page.records if name in record.vectors]
        if records:
            rows = np.stack([record.vectors[name] for record in records])
            yield from zip(records, classifier.guess(rows, top=top, at_least=at_least), strict=True)
        after = page.next
        if after is None:
            return
