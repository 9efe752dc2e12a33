"""What there is to see in one file, for models that look at files and keep nothing."""

from pathlib import Path

from encoders import Pixels, Preprocess, Use
from ingestion.formats import HEAD_BYTES, identify
from ingestion.images import load_image
from ingestion.options import Limits, VideoOptions
from ingestion.reading import input_side
from ingestion.segments import uniform
from ingestion.video import Video


def load_views(path: Path, preprocess: Preprocess, use: Use, limits: Limits) -> list[Pixels]:
    """An image, preprocessed for `use`, or the uniform frames of a video, by the public protocol.

    The mean of their un-normalised vectors is the file's. Raises `NotMedia`, `MediaError`, or
    `InvalidInput`.
    """
    with path.open("rb") as file:
        found = identify(path, file.read(HEAD_BYTES))
    if found.kind == "image":
        return [preprocess(load_image(path, limits, input_side(preprocess)), use)]
    video = Video(path, limits)
    times = video.timeline.times
    wanted = [float(times[at]) for at in uniform(len(times), VideoOptions().frames)]
    return [preprocess(shot.image, "frame") for shot in video.shots(wanted)]
