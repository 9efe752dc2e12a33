"""How videos become vectors: the names, limits and meanings that settings and jobs share."""

from dataclasses import fields
from typing import Annotated

from pydantic import Field

from ingestion.options import VideoOptions

Frames = Annotated[
    int,
    Field(ge=1, le=1000, description="Uniform frames that a video as a whole is the mean of."),
]
SegmentSeconds = Annotated[
    float, Field(ge=0.1, le=86_400, description="Seconds of one segment of a video.")
]
SegmentFrames = Annotated[
    int, Field(ge=1, le=1000, description="Frames that a segment is the mean of.")
]
Shots = Annotated[
    bool, Field(description="End segments where the camera cuts, too; all is decoded twice.")
]
KeyFrames = Annotated[
    bool, Field(description="Look at no frames of videos but key frames: many times faster.")
]
NAMES = {f"video_{field.name}": field.name for field in fields(VideoOptions)}
"""Setting, or option of a job -> option of ingestion."""
