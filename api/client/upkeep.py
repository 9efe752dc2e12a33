"""What looks after a service and its collections: each function makes the call of one operation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import httpx

from api.client.call import Call, model, nothing
from api.schemas.archives import Export, ExportList, Import, Snapshot, SnapshotList
from api.schemas.collections import Alias, AliasList, CollectionDetail
from api.schemas.indexes import IndexReport, Relevance
from api.schemas.jobs import JobOut
from api.schemas.maintenance import Compaction, Migration, Verification
from api.schemas.service import Health, Readiness
from api.schemas.status import ServiceStatus


def index(collection: str) -> Call[IndexReport]:
    """Show the disk use, the index and the calibration of a collection."""
    path = "/v1/collections/{name}/index"
    return Call("GET", path, model(IndexReport), {"name": collection})


def aliases() -> Call[AliasList]:
    """All aliases."""
    return Call("GET", "/v1/aliases", model(AliasList))


def alias(alias: str) -> Call[Alias]:
    """The collection that an alias names."""
    return Call("GET", "/v1/aliases/{alias}", model(Alias), {"alias": alias})


def set_alias(alias: str, collection: str) -> Call[Alias]:
    """Make an alias, or have it name another collection from now on."""
    path, body = "/v1/aliases/{alias}", {"collection": collection}
    return Call("PUT", path, model(Alias), {"alias": alias}, json=body)


def delete_alias(alias: str) -> Call[None]:
    """Remove an alias; the collection stays."""
    return Call("DELETE", "/v1/aliases/{alias}", nothing, {"alias": alias}, once=True)


def backfill(collection: str) -> Call[JobOut]:
    """A job that adds vectors that the service's encoder makes and points lack."""
    path = "/v1/collections/{name}/backfill"
    return Call("POST", path, model(JobOut), {"name": collection}, once=True)


def build(collection: str) -> Call[IndexReport]:
    """Build the index of all vectors now."""
    path = "/v1/collections/{name}/build"
    return Call("POST", path, model(IndexReport), {"name": collection}, slow=True)


def calibrate(collection: str) -> Call[Relevance]:
    """Learn what scores mean in a collection."""
    path = "/v1/collections/{name}/calibrate"
    return Call("POST", path, model(Relevance), {"name": collection}, slow=True)


def compact(collection: str) -> Call[Compaction]:
    """Give back the disk space of what was deleted or replaced."""
    path = "/v1/collections/{name}/compact"
    return Call("POST", path, model(Compaction), {"name": collection}, slow=True)


def verify(collection: str) -> Call[Verification]:
    """Read a whole collection and compare checksums."""
    path = "/v1/collections/{name}/verify"
    return Call("POST", path, model(Verification), {"name": collection}, slow=True)


def migrate(collection: str, target: str, name: str | None = None) -> Call[Migration]:
    """Copy a collection to a Qdrant server or another data folder, and compare the two."""
    path, body = "/v1/collections/{name}/migrate", {"target": target, "name": name}
    return Call("POST", path, model(Migration), {"name": collection}, json=body, slow=True)


def create_snapshot(collection: str) -> Call[Snapshot]:
    """Back a collection up, on the server."""
    path = "/v1/collections/{name}/snapshots"
    return Call("POST", path, model(Snapshot), {"name": collection}, slow=True, once=True)


def snapshots() -> Call[SnapshotList]:
    """The snapshots there are."""
    return Call("GET", "/v1/snapshots", model(SnapshotList))


def download_snapshot(snapshot: str, target: Path) -> Call[None]:
    """Write a snapshot to the file `target`."""
    path = "/v1/snapshots/{snapshot}"
    return Call("GET", path, nothing, {"snapshot": snapshot}, target=target)


def upload_snapshot(file: Path) -> Call[Snapshot]:
    """Send a snapshot of another installation, to be restored there."""
    return Call("POST", "/v1/snapshots", model(Snapshot), files=[file], slow=True, once=True)


def delete_snapshot(snapshot: str) -> Call[None]:
    """Remove a snapshot."""
    return Call("DELETE", "/v1/snapshots/{snapshot}", nothing, {"snapshot": snapshot}, once=True)


def restore(snapshot: str, name: str | None = None) -> Call[CollectionDetail]:
    """Create a collection from a snapshot, under its old name or another."""
    path, names, body = "/v1/snapshots/{snapshot}/restore", {"snapshot": snapshot}, {"name": name}
    return Call("POST", path, model(CollectionDetail), names, json=body, slow=True, once=True)


def create_export(collection: str) -> Call[Export]:
    """Write a collection as Parquet files, on the server."""
    path = "/v1/collections/{name}/exports"
    return Call("POST", path, model(Export), {"name": collection}, slow=True, once=True)


def upload_export(files: Sequence[Path]) -> Call[Export]:
    """Send an export of another installation: `points.parquet` and `ledger.parquet`."""
    return Call("POST", "/v1/exports", model(Export), files=files, once=True)


def exports() -> Call[ExportList]:
    """The exports there are."""
    return Call("GET", "/v1/exports", model(ExportList))


def export(export: str) -> Call[Export]:
    """Describe an export."""
    return Call("GET", "/v1/exports/{export}", model(Export), {"export": export})


def download_export(
    export: str, file: Literal["points.parquet", "ledger.parquet"], target: Path
) -> Call[None]:
    """Write one of an export's two files to `target`."""
    path, names = "/v1/exports/{export}/{file}", {"export": export, "file": file}
    return Call("GET", path, nothing, names, target=target)


def delete_export(export: str) -> Call[None]:
    """Remove an export."""
    return Call("DELETE", "/v1/exports/{export}", nothing, {"export": export}, once=True)


def import_export(
    collection: str, export: str | None = None, *, path: str | None = None
) -> Call[Import]:
    """Make or add to a collection: of an export, or of the two files in a folder of the server."""
    body = {"export": export, "path": path}
    place = "/v1/collections/{name}/import"
    return Call("POST", place, model(Import), {"name": collection}, json=body, slow=True)


def alive() -> Call[Health]:
    """Whether the process is alive."""
    return Call("GET", "/livez", model(Health))


def ready() -> Call[Readiness]:
    """Whether the model is loaded; waits for it as long as `patience` lasts."""
    return Call("GET", "/readyz", model(Readiness))


def status() -> Call[ServiceStatus]:
    """How the service stands."""
    return Call("GET", "/v1/status", model(ServiceStatus))


def metrics() -> Call[str]:
    """Counters, histograms and gauges in Prometheus' text format."""
    return Call("GET", "/metrics", _text)


def _text(response: httpx.Response) -> str:
    return response.text
