"""Videos by the public protocol: which frames, seen how, and what becomes of their vectors."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from encoders import unit
from encoders.internvl.encoder import InternVLEncoder
from indexer import LocalStore, Schema, point_id
from ingestion import Limits, VideoOptions, ingest, walk
from ingestion.formats import identify
from ingestion.messages import WHOLE
from ingestion.segments import Clip, uniform
from tests import media
from tests.encoders.internvl.tiny import load_facts


@pytest.mark.parametrize(
    "case",
    load_facts("07_video_frame_indices.json"),
    ids=lambda case: f"{case['num_video_frames']}x{case['num_frames']}",
)
def test_indices_equal_the_reference_inside_the_video(case: dict[str, object]) -> None:
    length, count, expected = case["num_video_frames"], case["num_frames"], case["indices"]
    assert isinstance(length, int)
    assert isinstance(count, int)
    assert isinstance(expected, list)
    ours = uniform(length, count)
    assert ours == [min(index, length - 1) for index in expected]
    assert len(ours) <= count


def test_an_ingested_video_is_the_unit_mean_of_its_cropped_frames(
    encoder: InternVLEncoder, tmp_path: Path
) -> None:
    path = media.save_video(tmp_path / "wide.mp4", media.frames(["red", "blue"], size=(240, 96)))
    clip = Clip(path, identify(path, path.read_bytes()), Limits(), VideoOptions())
    frames = [image for image, pools in clip.frames() if WHOLE in pools]
    pixels = [encoder.preprocess(frame, "frame") for frame in frames]
    rows = encoder.encode_pixels(pixels, normalize=False)
    schema = Schema(encoder.info.vectors, encoder.info.name, encoder.info.fingerprint)
    with closing(LocalStore(tmp_path / "data").create("videos", schema)) as collection:
        list(ingest(walk(path.parent), encoder, collection))
        (stored,) = collection.get([point_id(path.as_uri(), *WHOLE)], with_vectors=["c", "g"])
    for name, frame_rows in rows.items():
        np.testing.assert_allclose(stored.vectors[name], unit(frame_rows.mean(0)), atol=1e-5)
    squashed = encoder.encode_images(frames, normalize=False)["c"]
    assert np.abs(unit(squashed.mean(0)) - stored.vectors["c"]).max() > 1e-3
