"""Where a model's parts go."""

import pytest
import torch

from encoders import InvalidOption, LoadOptions
from encoders.internvl.model import InternVL, InternVLConfig
from encoders.internvl.placement import Placement, on_meta, parse_site
from encoders.internvl.weights import Site, shapes_of
from tests.encoders.internvl.tiny import CPU


@pytest.mark.parametrize("device", ["cpu", "cpu+cpu", "cpu + cpu"])
def test_a_model_lies_on_one_device_or_two(device: str) -> None:
    placement = Placement.of(LoadOptions(device=device))
    assert placement.site == Site(CPU, CPU)
    assert (placement.dtype, placement.attention) == (torch.float32, "sdpa")


def test_one_device_is_chosen_by_default() -> None:
    site = Placement.of(LoadOptions()).site
    assert site.vision == site.language


@pytest.mark.parametrize("spec", ["cpu+cpu+cpu", "cpu+", "cuda:9", "+"])
def test_a_site_that_is_not_there_is_refused(spec: str) -> None:
    with pytest.raises(InvalidOption):
        parse_site(spec)


def test_the_image_tower_goes_to_the_first_and_the_rest_to_the_second() -> None:
    site = Site(torch.device("cuda:0"), torch.device("cuda:1"))
    shapes = shapes_of(on_meta(lambda: InternVL(InternVLConfig())))
    first = {name.split(".")[0] for name in shapes if site.of(name) == site.vision}
    assert first == {"vision_model", "clip_projector"}
    sizes = [
        2 * sum(torch.Size(shape).numel() for name, shape in shapes.items() if site.of(name) == d)
        for d in (site.vision, site.language)
    ]
    assert max(sizes) < 16e9  # bytes in bfloat16: two cards of 24 GB hold it
