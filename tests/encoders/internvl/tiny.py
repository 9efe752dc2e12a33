"""Ways to the tiny checkpoint that tests of several files share."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from encoders.internvl.checkpoint import open_internvl
from encoders.internvl.encoder import InternVLEncoder
from encoders.internvl.model import PARTS, InternVL, Part
from encoders.internvl.placement import on_meta
from encoders.internvl.weights import Site, load_weights

DATA = Path(__file__).parents[2] / "data" / "internvl"
TINY = DATA / "tiny_internvl_14b"
FEATURES = 3e-5  # float32 tolerances of the reference's own numbers
LOGITS = 3e-4
CPU = torch.device("cpu")

Arrays = Mapping[str, NDArray[Any]]


class Load(Protocol):
    def __call__(self, path: Path = TINY, **options: object) -> InternVLEncoder: ...


def load_model(
    path: Path = TINY,
    parts: Collection[Part] = PARTS,
    dtype: torch.dtype = torch.float32,
    attention: str = "sdpa",
) -> InternVL:
    """The model of a checkpoint, without its encoder."""
    checkpoint = open_internvl(str(path))
    model = on_meta(lambda: InternVL(checkpoint.config, parts, attention))
    load_weights(model, checkpoint.catalogue, Site(CPU, CPU), dtype, None)
    return model


def load_numbers(name: str) -> Arrays:
    """The arrays of the fixture file called `name`, or whose name alone starts so."""
    exact = DATA / f"{name}.npz"
    (path,) = [exact] if exact.exists() else DATA.glob(f"{name}*.npz")
    with np.load(path) as arrays:
        return dict(arrays)


def load_facts(name: str) -> Any:  # noqa: ANN401 (what the file holds)
    """The content of a fixture's JSON file."""
    return json.loads((DATA / name).read_text("utf-8"))
