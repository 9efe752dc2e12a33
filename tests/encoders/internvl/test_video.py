"""Frame indices against the public script, and where it stops."""

import pytest

from encoders.internvl.video import frame_indices
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
    ours = frame_indices(length, count)
    assert ours == [min(index, length - 1) for index in expected]
    assert len(ours) <= count
