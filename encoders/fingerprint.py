"""Tell whether two encoders write vectors of the same space."""

import hashlib
import json
from collections.abc import Mapping

from encoders.errors import EncoderMismatch


def digest(*parts: object) -> str:
    """A short stable hash (16 hex digits) of JSON-serialisable parts and raw bytes."""
    sha = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode()
        sha.update(len(data).to_bytes(8, "little") + data)
    return sha.hexdigest()[:16]


def require_same(stored: Mapping[str, str], loaded: Mapping[str, str], what: str) -> None:
    """Compare the parts that both sides have, so that a text-only node fits an image-only one.

    Raises `EncoderMismatch` naming `what` and the parts that differ.
    """
    differing = sorted(
        part for part in stored.keys() & loaded.keys() if stored[part] != loaded[part]
    )
    if differing:
        raise EncoderMismatch(
            f"{what} was made by another encoder (its {', '.join(differing)} part differs). "
            "Use the encoder it was made with, or ingest into a new collection."
        )
