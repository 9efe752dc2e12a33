"""Exports of collections: those stored here, and where others may be read from."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from api.admission import admitted
from api.archives import Archives
from api.problems import Refusal
from api.roots import Roots
from api.schemas.archives import Export
from api.uploads import Upload
from indexer.local.drafts import draft, hidden
from indexer.parquet import FILES, read_export


def told(path: Path) -> Export:
    """An export as clients see it; raises what `read_export` raises."""
    found = read_export(path)
    size = sum((path / file).stat().st_size for file in FILES)
    return Export(
        name=path.name,
        collection=found.collection,
        points=found.points,
        assets=found.assets,
        bytes=size,
    )


def keep(exports: Archives, uploads: Sequence[Upload]) -> Path:
    """Keep an export that came as its two files.

    Raises `Refusal` (413, 422), and what `read_export` raises; then nothing is kept.
    """
    if sorted(upload.name for upload in uploads) != sorted(FILES):
        raise Refusal(422, "not-an-export", f"send the two files of an export: {', '.join(FILES)}")
    if large := next((upload for upload in uploads if upload.too_large), None):
        raise Refusal(413, "too-large", f"{large.name} is larger than an upload may be")
    exports.folder.mkdir(parents=True, exist_ok=True)
    with draft(exports.folder, "sent") as folder:
        for upload in uploads:
            shutil.move(upload.path, folder / upload.name)
        target = exports.new(read_export(folder).collection)
        folder.rename(target)
    return target


def remove(exports: Archives, path: Path) -> None:
    """Remove an export that is kept, for all readers at once."""
    grave = hidden(exports.folder, path.name)  # what is left over goes with the next export
    path.rename(grave)
    shutil.rmtree(grave, ignore_errors=True)


def folder_of(name: str, roots: Roots) -> Path:
    """The folder of an export at a path, links followed; raises `Refusal` (403, 422)."""
    folder = admitted(name, roots.reach())
    for file in FILES:
        admitted(str(folder / file), roots.reach())
    return folder
