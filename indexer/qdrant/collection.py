"""A collection on a Qdrant server."""

from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from qdrant_client import models

from indexer.base import (
    AssetWrite,
    Hit,
    Page,
    Payload,
    Point,
    Record,
    Schema,
    SearchResult,
    Selector,
)
from indexer.checks import (
    check_assets,
    check_effort,
    check_filter,
    check_ids,
    check_keys,
    check_limit,
    check_names,
    check_selector,
    check_text,
    checked_query,
    widened,
)
from indexer.filters import Filter, payload_keys
from indexer.ledger import Ledger
from indexer.payload import check_payload, encode
from indexer.points import Prepared, prepare, prepare_vectors, prepare_writes
from indexer.qdrant.batches import chunks, requests
from indexer.qdrant.filters import has_words, of_assets, translated
from indexer.qdrant.options import QdrantOptions
from indexer.qdrant.payloads import check_integers, loaded, stored, stored_fields, stored_names
from indexer.qdrant.remote import RemotePoints
from indexer.qdrant.search import search
from indexer.qdrant.staging import Staging
from indexer.words import MOST_FOUND, asked, words_of

_EDITED_AT_ONCE = 1000
_ASSETS_AT_ONCE = 100
_TOO_MUCH_FOR_A_GRAPH = 0.99
_LAST_ID = UUID(int=2**128 - 1)


class QdrantCollection:
    """Satisfies `indexer.base.Collection`; made by `QdrantStore`.

    A write is in its place on the server when its method returns. Qdrant has no transactions: a
    write that raises `BackendUnavailable` may have happened in part, and readers may see a part of
    it while it runs. Every write may be repeated, and is then as if it had happened once.
    """

    def __init__(
        self,
        name: str,
        uid: UUID,
        schema: Schema,
        remote: RemotePoints,
        ledger: Ledger,
        staging: Staging,
        options: QdrantOptions,
    ) -> None:
        self._name = name
        self._uid = uid
        self._schema = schema
        self._remote = remote
        self._ledger = ledger
        self._staging = staging
        self._options = options

    @property
    def name(self) -> str:
        return self._name

    @property
    def uid(self) -> UUID:
        """Written when the collection was made."""
        return self._uid

    @property
    def schema(self) -> Schema:
        return self._schema

    @property
    def ledger(self) -> Ledger:
        """In the installation's own database, not on the server."""
        return self._ledger

    def upsert(self, points: Sequence[Point]) -> None:
        """Store points; one whose id exists is replaced whole. Raises `InvalidPoint`."""
        self._upsert(prepare(points, self._schema))

    def replace(self, assets: Sequence[AssetWrite]) -> None:
        """Make each asset's points those given and record its ledger row; `InvalidPoint`.

        New points are stored first, then older ones removed, at last the rows recorded: where it
        is interrupted the ledger has the old rows, and doing it again mends everything.
        """
        batch, staged = prepare_writes(assets, self._schema)
        staged = self._staging.completed(staged)
        self._upsert(batch)
        self._upsert(staged)
        for part in chunks(assets, _ASSETS_AT_ONCE):
            self._remote.delete(_left_over(part))
        if assets:
            self._ledger.record([write.row for write in assets])
            self._staging.clear(write.asset for write in assets)

    def stage(self, points: Sequence[Point]) -> None:
        """Keep points of unfinished assets on this machine. Raises `InvalidPoint`."""
        batch = prepare(points, self._schema)
        for point in points:
            check_integers(point.payload)
        self._staging.put(batch)

    def staged(self, asset: str) -> list[Record]:
        """The staged points of an asset in id order, without vectors."""
        check_assets([asset])
        return self._staging.records(asset)

    def delete(self, selector: Selector) -> int:
        """Remove points; returns how many there were."""
        check_selector(selector)
        if isinstance(selector, Filter):
            tree = translated(selector)
            count = self._remote.count(tree)
            self._remote.delete(tree)
            return count
        ids = [_id(point) for point in self._remote.retrieve(selector, with_payload=False)]
        for chunk in chunks(ids, _EDITED_AT_ONCE):
            self._remote.delete(models.PointIdsList(points=list(chunk)))
        return len(ids)

    def set_payload(self, selector: Selector, payload: Payload) -> int:
        """Set top-level keys; returns how many points were selected. Raises `InvalidPoint`."""
        check_selector(selector)
        check_payload(payload)
        fields = stored_fields(payload)
        edited = {}
        for point in self._select(selector):
            asset, old = loaded(point.payload)
            edited[_id(point)] = (asset, old | payload)
            encode(old | payload, "the payload that results")
        if None in payload.values():  # to set a key to null is to remove it, for Qdrant
            for point_id, (asset, whole) in edited.items():
                self._remote.overwrite_payload(point_id, stored(asset, whole))
            return len(edited)
        for chunk in chunks(edited, _EDITED_AT_ONCE):
            self._remote.set_payload(chunk, fields)
        return len(edited)

    def delete_payload(self, selector: Selector, keys: Sequence[str]) -> int:
        """Remove top-level keys; returns how many points were selected."""
        check_selector(selector)
        check_keys(keys)
        paths = [path for key in keys for path in stored_names(key)]
        ids = [_id(point) for point in self._select(selector)]
        for chunk in chunks(ids, _EDITED_AT_ONCE) if paths else ():
            self._remote.delete_payload(chunk, paths)
        return len(ids)

    def add_vector(
        self,
        name: str,
        dim: int,
        *,
        encoder: str | None = None,
        fingerprint: Mapping[str, str] | None = None,
    ) -> None:
        """Let points have a vector of another name, and say what writes it; `InvalidName`.

        The server must be 1.18 or later.
        """
        wider = widened(self._schema, name, dim, encoder, fingerprint)
        if name not in self._schema.vectors:
            self._remote.add_vector(name, dim, on_disk=self._options.on_disk)
        # At last, so that where it is interrupted doing it again mends it.
        self._remote.describe(wider)
        self._schema = wider

    def set_vectors(self, vectors: Mapping[UUID, Mapping[str, NDArray[np.float32]]]) -> int:
        """Set vectors of points that are there; returns how many are. Raises `InvalidPoint`."""
        batch = prepare_vectors(vectors, self._schema)
        known = {_id(point) for point in self._remote.retrieve(vectors, with_payload=False)}
        for points in requests(batch, self._options.batch):
            changed = [
                models.PointVectors(id=point.id, vector=point.vector)
                for point in points
                if UUID(str(point.id)) in known
            ]
            if changed:
                self._remote.set_vectors(changed)
        return len(known)

    def get(self, ids: Sequence[UUID], *, with_vectors: Sequence[str] = ()) -> list[Record]:
        """The records of these ids, in order, without unknown ids."""
        check_ids(ids)
        check_names(with_vectors, self._schema)
        found = {_id(point): _record(point) for point in self._remote.retrieve(ids, with_vectors)}
        return [found[point] for point in ids if point in found]

    def scroll(
        self,
        filter: Filter | None = None,  # noqa: A002 - the field's word for it
        *,
        limit: int = 100,
        after: UUID | None = None,
        with_vectors: Sequence[str] = (),
    ) -> Page:
        """Records in id order, `limit` (1 to 10,000) at a time. Raises `InvalidQuery`."""
        check_filter(filter)
        check_limit(limit)
        check_ids([] if after is None else [after])
        check_names(with_vectors, self._schema)
        if after == _LAST_ID:
            return Page([], None)
        start = None if after is None else UUID(int=after.int + 1)
        tree = _tree(filter)
        found = list(self._remote.scroll(tree, with_vectors, start=start, most=limit + 1))
        records = [_record(point) for point in found[:limit]]
        return Page(records, records[-1].id if len(found) > limit else None)

    def count(self, filter: Filter | None = None) -> int:  # noqa: A002
        """The number of points that match."""
        check_filter(filter)
        return self._remote.count(_tree(filter))

    def search(
        self,
        query: NDArray[np.float32],
        *,
        vector: str = "default",
        filter: Filter | None = None,  # noqa: A002
        limit: int = 10,
        effort: float | None = None,
        recall: float | None = None,
        params: models.SearchParams | None = None,
    ) -> SearchResult:
        """The `limit` points (1 to 10,000) of highest cosine to `query` `[dim]`.

        `effort` becomes Qdrant's `hnsw_ef`, 16 to 1024, and at 1 `exact`. Recall is not measured
        there: a `recall` above .99 stands for an effort of 1, another for .75. `params` are
        Qdrant's own (`exact`, `hnsw_ef`, `quantization`), for this search alone, instead; by
        default small copies are oversampled and rescored, and the server chooses the rest. Points
        of equal score come in id order. Raises `InvalidQuery`.
        """
        check_filter(filter)
        check_limit(limit)
        check_effort(effort, recall)
        if recall is not None:
            effort = 1.0 if recall > _TOO_MUCH_FOR_A_GRAPH else 0.75
        unit = checked_query(query, self._schema, vector)
        request = models.QueryRequest(
            query=unit.tolist(),
            using=vector,
            filter=_tree(filter),
            params=params or self._params(effort),
            limit=limit,
            with_payload=True,
        )
        return search(self._remote, request, limit, payload_keys(filter) if filter else [])

    def find_text(
        self,
        text: str,
        *,
        filter: Filter | None = None,  # noqa: A002
        limit: int = 10,
    ) -> list[Hit]:
        """The `limit` points (1 to 10,000) with every word of `text`. Raises `InvalidQuery`.

        Qdrant does not order what matches a text: of more than 10,000 points those of the lowest
        ids are looked at.
        """
        check_text(text)
        check_filter(filter)
        check_limit(limit)
        words = asked(text)
        if not words:
            return []
        found = self._remote.scroll(has_words(words, filter), most=MOST_FOUND)
        hits = [_found(point, len(words)) for point in found]
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))[:limit]

    def _params(self, effort: float | None) -> models.SearchParams:
        """Rescoring is said always: it means nothing to a collection without small copies."""
        again = models.QuantizationSearchParams(
            rescore=True, oversampling=self._options.oversampling
        )
        if effort == 1:
            return models.SearchParams(exact=True)
        ef = None if effort is None else round(16 * 64**effort)
        return models.SearchParams(quantization=again, hnsw_ef=ef)

    def _upsert(self, batch: Prepared) -> None:
        # One after another: the next request waits until the server has taken in the last.
        for points in requests(batch, self._options.batch):
            self._remote.upsert(points)

    def _select(self, selector: Selector) -> Iterator[models.Record]:
        """The points an edit applies to, with payloads."""
        if isinstance(selector, Filter):
            return self._remote.scroll(translated(selector))
        return self._remote.retrieve(selector)


def _found(point: models.Record, words: int) -> Hit:
    asset, payload = loaded(point.payload)
    return Hit(_id(point), asset, words / words_of(payload).size, payload)


def _tree(tree: Filter | None) -> models.Filter | None:
    return None if tree is None else translated(tree)


def _left_over(assets: Sequence[AssetWrite]) -> models.Filter:
    """The points of these assets that are not among those given."""
    ids = [str(point.id) for write in assets for point in write.points]
    return models.Filter(
        must=[of_assets([write.asset for write in assets])],
        must_not=[models.HasIdCondition(has_id=list(ids))],
    )


def _id(point: models.Record) -> UUID:
    return UUID(str(point.id))


def _record(point: models.Record) -> Record:
    vectors = point.vector if isinstance(point.vector, dict) else {}
    rows = {name: np.array(row, np.float32) for name, row in vectors.items()}
    return Record(_id(point), *loaded(point.payload), rows)
