"""The data file: everything `build` derived, verified before use."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from encoders.base import unit
from encoders.errors import CheckpointError
from encoders.offline.lexicon import Lexicon
from encoders.offline.space import Space

PATH = Path(__file__).parent / "data" / "offline.safetensors"
CLASSES = 1000


@dataclass(frozen=True)
class OfflineData:
    """What the two towers need besides their models.

    `mean` `[384]` and `whitening` `[384, 384]` turn a sentence embedding into a whitened one;
    `projection` `[D, 384]` turns a description of the `space` into the final vector. Float32.
    """

    checksum: str
    mean: NDArray[np.float32]
    whitening: NDArray[np.float32]
    lexicon: Lexicon
    space: Space
    projection: NDArray[np.float32]

    def whiten(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sentence embeddings `[n, 384]` to unit rows that depend less on language and wording."""
        return unit((embeddings - self.mean) @ self.whitening)


def load_data(path: Path = PATH) -> OfflineData:
    """Read and verify the data file; raises `CheckpointError` where it is missing or damaged."""
    try:
        content = path.read_bytes()
        expected = checksum_path(path).read_text("ascii").strip()
    except OSError as error:
        raise CheckpointError(
            f"the offline encoder's data file cannot be read: {error}. {REPAIR}"
        ) from error
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != expected:
        raise CheckpointError(f"{path} is damaged (its SHA-256 is not {expected}). {REPAIR}")
    try:
        return unpack(load(content), checksum)
    except (SafetensorError, KeyError) as error:
        raise CheckpointError(f"{path} has another version ({error}). {REPAIR}") from error


REPAIR = "Reinstall polylens, or rebuild the file with `python -m encoders.offline.build`."


def save_data(tensors: Mapping[str, NDArray[Any]], path: Path = PATH) -> str:
    """Write packed tensors and their checksum beside them; returns the checksum (SHA-256, hex)."""
    content = save(dict(sorted(tensors.items())))
    checksum = hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    checksum_path(path).write_text(f"{checksum}\n", "ascii")
    return checksum


def checksum_path(path: Path) -> Path:
    """Where the checksum of a data file lies."""
    return path.with_suffix(".sha256")


def pack(data: OfflineData) -> dict[str, NDArray[Any]]:
    """The tensors of the file: float16, the large ones int8, the membership single bits."""
    return {
        "mean": data.mean.astype(np.float16),
        "whitening": data.whitening.astype(np.float16),
        "lexicon.keys": _quantize(data.lexicon.keys, _peaks(data.lexicon.keys)),
        "lexicon.concept": data.lexicon.concept.astype(np.int16),
        "lexicon.english": data.lexicon.english.astype(np.int32),
        "space.nodes": _quantize(data.space.nodes, _peaks(data.space.nodes)),
        "space.membership": np.packbits(data.space.membership.astype(bool), axis=1),
        "space.regression": data.space.regression.astype(np.float16),
        "projection": _quantize(data.projection, _peaks(data.projection)),
        "projection.peaks": _peaks(data.projection).astype(np.float16),
    }


def unpack(tensors: Mapping[str, NDArray[Any]], checksum: str) -> OfflineData:
    """The inverse of `pack`, up to rounding; raises `KeyError` on a missing tensor."""
    wide = {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
    membership = np.unpackbits(tensors["space.membership"], axis=1, count=CLASSES)
    return OfflineData(
        checksum=checksum,
        mean=wide["mean"],
        whitening=wide["whitening"],
        lexicon=Lexicon(
            keys=unit(wide["lexicon.keys"]),
            concept=tensors["lexicon.concept"].astype(np.int64),
            english=tensors["lexicon.english"].astype(np.int64),
        ),
        space=Space(
            nodes=unit(wide["space.nodes"]),
            membership=membership.astype(np.float32),
            regression=wide["space.regression"],
        ),
        projection=np.multiply(wide["projection"], wide["projection.peaks"] / np.float32(127)),
    )


def _quantize(rows: NDArray[np.float32], peaks: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.rint(rows * (127 / peaks)).astype(np.int8)


def _peaks(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest magnitude of each row, `[n, 1]`."""
    peaks: NDArray[np.float32] = np.abs(rows).max(axis=1, keepdims=True)
    return peaks
