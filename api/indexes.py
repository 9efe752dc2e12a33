"""Report a collection's disk use, index and calibration; blocking."""

from dataclasses import asdict

from api.installation import Installation
from api.schemas.indexes import DiskUsage, IndexReport, IndexStatus, Relevance, SegmentStatus
from indexer import Collection, LocalCollection, VectorIndex
from indexer.local.info import SegmentInfo
from retrieval import Calibration
from retrieval import calibrate as fit


def report(installation: Installation, collection: Collection) -> IndexReport:
    """All of it."""
    schema = collection.schema
    local = collection if isinstance(collection, LocalCollection) else None
    known = installation.calibrations.get(collection)
    return IndexReport(
        collection=collection.name,
        points=collection.count(),
        vectors=dict(schema.vectors),
        encoder=schema.encoder,
        disk=DiskUsage(**asdict(local.usage())) if local else None,
        index=indexes(collection),
        relevance=_relevance(known) if known else None,
    )


def indexes(collection: Collection) -> list[IndexStatus]:
    """The index of each vector name; none of a collection on a Qdrant server."""
    found = collection.index_info() if isinstance(collection, LocalCollection) else []
    return [_index(one) for one in found]


def calibrate(installation: Installation, collection: Collection) -> Relevance:
    """Learn what its scores mean, and keep it. Raises what `retrieval.calibrate` raises."""
    fitted = fit(collection, installation.encoder(collection))
    installation.calibrations.put(collection, fitted)
    return _relevance(fitted)


def _index(one: VectorIndex) -> IndexStatus:
    segments = [_segment(segment) for segment in one.segments]
    return IndexStatus(vector=one.name, rows=one.rows, unsealed=one.tail, segments=segments)


def _segment(segment: SegmentInfo) -> SegmentStatus:
    return SegmentStatus(
        kind=segment.kind,
        rows=segment.rows,
        dead=segment.rows - segment.live,
        bytes=segment.bytes,
        usable=segment.usable,
        text_queries=segment.calibration.text,
        recall={
            str(neighbours): round(max(level.recall() for level in levels), 4)
            for neighbours, levels in segment.calibration.tiers.items()
        },
    )


def _relevance(known: Calibration) -> Relevance:
    return Relevance(
        points=known.points,
        texts=known.texts,
        fitted=known.fitted,
        good={name: round(one.relevance("").centre, 4) for name, one in known.vectors.items()},
    )
