"""Tiles and conversation templates against the public code's."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders import InvalidOption
from encoders.heads.chat.templates import TEMPLATES, require_template
from encoders.heads.chat.tiles import grid, tiles

DATA = Path(__file__).parents[2] / "data"
FACTS = json.loads((DATA / "chat" / "11_chat.json").read_text(encoding="utf-8"))


def test_grids_are_the_public_ones() -> None:
    for case in FACTS["tiling"]:
        found = grid(case["width"], case["height"], 448, case["max_num"])
        assert list(found) == case["grid_cols_rows"], case


def test_the_number_of_tiles_counts_the_thumbnail() -> None:
    for case in FACTS["tiling"]:
        if case["width"] * case["height"] > 2_000_000:
            continue  # the same arithmetic, much more resizing
        image = Image.new("RGB", (case["width"], case["height"]))
        found = tiles(image, 448, case["max_num"], thumbnail=case["use_thumbnail"])
        assert len(found) == case["num_tiles"], case


def test_tiles_are_the_public_ones() -> None:
    with Image.open(DATA / "internvl" / "images" / "img0_rgb_320x240.png") as image:
        found = tiles(image, 56, 12, thumbnail=True)
    reference = np.load(DATA / "chat" / "11_chat.npz")["tiles_img0_size56_max12_thumb"]
    np.testing.assert_array_equal(np.stack([np.asarray(tile) for tile in found]), reference)


@pytest.mark.parametrize("name", FACTS["prompts"])
def test_prompts_are_the_public_ones(name: str) -> None:
    template = require_template(name)
    turns = [
        ("user", "<image>\nWhat is this?"),
        ("assistant", "A panda."),
        ("user", "Colour?"),
    ]
    assert template.prompt(turns) == FACTS["prompts"][name]["prompt"]
    assert template.stop == FACTS["prompts"][name]["sep"].strip()


def test_a_system_message_of_ones_own() -> None:
    prompt = TEMPLATES["internvl2_5"].prompt([("user", "Hi")], "Be brief.")
    assert prompt.startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi")


def test_a_template_we_do_not_have() -> None:
    with pytest.raises(InvalidOption, match=r"'vicuna'.*internvl2_5.*proxy"):
        require_template("vicuna")
