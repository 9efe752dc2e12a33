"""A collection to ingest into, and the fake encoder to do it with."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from encoders.fake import FakeEncoder
from indexer import LedgerRow, LocalCollection, LocalStore, Payload, Schema
from ingestion import IngestOptions, Report, Source, ingest


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def collection(tmp_path: Path, encoder: FakeEncoder) -> Iterator[LocalCollection]:
    store = LocalStore(tmp_path / "data")
    made = store.create("photos", schema_of(encoder))
    yield made
    made.close()


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """An empty folder to fill and to ingest."""
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


def schema_of(encoder: FakeEncoder) -> Schema:
    return Schema(encoder.info.vectors, encoder.info.name, encoder.info.fingerprint)


def ingested(
    source: Source,
    collection: LocalCollection,
    options: IngestOptions | None = None,
    encoder: FakeEncoder | None = None,
) -> tuple[Report, dict[str, LedgerRow]]:
    """Ingest a source; the report, which adds up, and the ledger."""
    options = replace(options or IngestOptions(), needs=source.needs)
    *_, last = ingest(source, encoder or FakeEncoder(), collection, options)
    report = last.report
    assert report is not None
    assert report.found == report.done + report.unchanged + report.skipped + report.failed
    assert collection.count() == collection.ledger.points()
    return report, {row.asset: row for row in collection.ledger.rows()}


def payloads(collection: LocalCollection) -> dict[tuple[str, str], Payload]:
    """What is said of each point, by asset and kind."""
    records = collection.scroll(limit=10_000).records
    return {(one.asset, one.payload["kind"]): one.payload for one in records}
