"""How videos become vectors: the names, limits and meanings that settings and jobs share."""

from dataclasses import fields
from typing import Annotated

from pydantic import Field

from ingestion.options import VideoOptions

Frames = Annotated[
    int,
    Field(ge=1, le=1000, description="Uniform frames averaged for a whole video."),
]
SegmentSeconds = Annotated[
    float, Field(ge=0.1, le=86_400, description="Seconds per video segment.")
]
SegmentFrames = Annotated[int, Field(ge=1, le=1000, description="Frames averaged per segment.")]
Shots = Annotated[
    bool, Field(description="Also end segments at hard cuts; decodes everything twice.")
]
KeyFrames = Annotated[bool, Field(description="Use key frames of videos only: many times faster.")]
NAMES = {f"video_{field.name}": field.name for field in fields(VideoOptions)}
"""Setting, or option of a job -> option of ingestion."""
