"""Where the camera cuts."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ingestion.container import decoded, opened
from ingestion.timeline import Timeline

SIDE = 32  # frames are compared as thumbnails of this size
JUMP = 25.0  # of 255: mean difference from the frame before that a cut makes at least
OUTSTANDING = 3.0  # times the usual difference around it, or it is movement
RECENT = 8  # frames that tell what is usual
SHORTEST = 1.0  # seconds between cuts: what flashes is no shot


def cuts(path: Path, timeline: Timeline) -> list[float]:
    """When another shot begins, in seconds: hard cuts alone, by decoding all frames.

    The content detector of common tools, with a threshold that adapts to movement.
    """
    found = [0.0]
    before: NDArray[np.int16] | None = None
    usual: deque[float] = deque([0.0], RECENT)
    for time, small in _thumbnails(path, timeline):
        change = 0.0 if before is None else float(np.abs(small - before).mean())
        if change > max(JUMP, OUTSTANDING * float(np.mean(usual))) and time - found[-1] >= SHORTEST:
            found.append(time)
        else:
            usual.append(change)
        before = small
    return found[1:]


def _thumbnails(path: Path, timeline: Timeline) -> Iterator[tuple[float, NDArray[np.int16]]]:
    with opened(path) as video:
        if timeline.keyframes:
            video[1].codec_context.skip_frame = "NONKEY"
        for time, frame in decoded(video, timeline.clock):
            small = frame.reformat(SIDE, SIDE, "rgb24", interpolation="AREA").to_ndarray()
            yield time, small.astype(np.int16)
