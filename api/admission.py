"""Check paths on this machine that clients name."""

import os
from pathlib import Path

from api.problems import Refusal
from ingestion.reach import Reach


def admitted(name: str, reach: Reach) -> Path:
    """The path that is meant, links followed.

    Raises `Refusal`: 422 where it is none or leads to nothing, 403 outside the allowed folders.
    """
    path = Path(name)
    if not path.is_absolute() or "\0" in name:
        raise Refusal(422, "not-a-path", f"{name!r:.200} is not an absolute path")
    if not reach.allows(path):
        raise Refusal(
            403,
            "outside-roots",
            f"{name!r:.200} lies outside the folders that may be read: see the setting roots",
        )
    if not os.path.exists(path):  # noqa: PTH110 - `Path.exists` raises where it may not look
        raise Refusal(422, "path-not-found", f"{name!r:.200} does not exist on the server")
    return Path(os.path.realpath(path))
