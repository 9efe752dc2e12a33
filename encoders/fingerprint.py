"""Tell whether two encoders write vectors of the same space."""

import contextlib
import hashlib
import json
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from encoders.errors import EncoderMismatch

if TYPE_CHECKING:
    import torch


def digest(*parts: object) -> str:
    """A short stable hash (16 hex digits) of JSON-serialisable parts and raw bytes."""
    sha = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode()
        sha.update(len(data).to_bytes(8, "little") + data)
    return sha.hexdigest()[:16]


def file_identity(file: Path) -> tuple[str, int, int]:
    """Path, bytes, time of change in ns: something changes when the file does, or when it goes."""
    try:
        stat = file.stat()
    except OSError:
        return str(file), -1, -1
    return str(file), stat.st_size, stat.st_mtime_ns


def require_same(stored: Mapping[str, str], loaded: Mapping[str, str], what: str) -> None:
    """Compare the parts that both sides have, so that a text-only node fits an image-only one.

    Raises `EncoderMismatch` naming `what` and the parts that differ.
    """
    differing = sorted(
        part for part in stored.keys() & loaded.keys() if stored[part] != loaded[part]
    )
    if differing:
        raise EncoderMismatch(
            f"{what} was made by another encoder (its {', '.join(differing)} part differs). "
            "Use the encoder it was made with, or ingest into a new collection."
        )


def hash_tensors(
    files: Iterable[Path],
    belongs: Callable[[str], bool] = lambda _: True,
    cache: Path | None = None,
) -> str:
    """A hash of the named tensors of weight files (`.safetensors`, or a pickled state dict).

    Values count as bfloat16, so that float32, bfloat16 and re-sharded copies of one model agree;
    `belongs` picks the tensors by name. Hashes are cached in the folder `cache` by each file's real
    path, size and time of change. Raises what the file's reader raises on damage.
    """
    cache = cache or default_cache()
    hashes: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=4) as pool:
        for known in pool.map(lambda file: _file_hashes(file.resolve(), cache), files):
            hashes.update(known)
    return digest({name: value for name, value in hashes.items() if belongs(name)})


def default_cache() -> Path:
    """Default folder of cached hashes: beside the hub's own cache."""
    from huggingface_hub.constants import HF_HOME

    return Path(HF_HOME) / "polylens" / "fingerprints"


def _file_hashes(file: Path, cache: Path) -> dict[str, str]:
    """Tensor name -> hash of one weight file, from the cache where it is there."""
    entry = cache / (digest(*file_identity(file)) + ".json")
    try:
        known: dict[str, str] = json.loads(entry.read_text("utf-8"))
    except (OSError, ValueError):
        known = {name: _hash_tensor(tensor) for name, tensor in _tensors(file)}
        _remember(entry, known)
    return known


def _remember(entry: Path, hashes: Mapping[str, str]) -> None:
    """Write a cache entry whole or not at all; a cache that cannot be written is only slower."""
    with contextlib.suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        draft = entry.with_suffix(f".{uuid.uuid4().hex}")
        draft.write_text(json.dumps(hashes), "utf-8")
        draft.replace(entry)


def _tensors(file: Path) -> "Iterator[tuple[str, torch.Tensor]]":
    if file.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(file, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 (not a dict)
                yield name, weights.get_tensor(name)
    else:
        import torch

        mapped = zipfile.is_zipfile(file)  # files of torch < 1.6 are not
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
        content = content.get("module", content)  # as training with DeepSpeed saves it
        yield from ((name, value) for name, value in content.items() if torch.is_tensor(value))


def _hash_tensor(tensor: "torch.Tensor") -> str:
    import torch

    if tensor.is_floating_point():
        tensor = tensor.to(torch.bfloat16)
    shape: Sequence[int] = tensor.shape
    sha = hashlib.sha256(repr((tuple(shape), str(tensor.dtype))).encode())
    sha.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()[:32]
