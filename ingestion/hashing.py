"""Content hashes of files: SHA-256 in hex."""

import hashlib
from pathlib import Path

from ingestion.heartbeat import beat

CHUNK = 1 << 20  # bytes


def hash_bytes(data: bytes) -> str:
    """That of a file read whole."""
    return hashlib.sha256(data).hexdigest()


def hash_file(path: Path) -> str:
    """That of a file of any length."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            beat()
    return digest.hexdigest()
