"""Hashes of weights and their comparison."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from encoders.errors import EncoderMismatch
from encoders.fingerprint import digest, hash_tensors, require_same

TENSORS = {
    "text.weight": torch.linspace(-1, 1, 12).reshape(3, 4),
    "image.weight": torch.linspace(0, 5, 8),
}


def saved(path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    save_file(tensors, path)
    return path


def hashed(tmp_path: Path, tensors: dict[str, torch.Tensor], name: str = "a.safetensors") -> str:
    return hash_tensors([saved(tmp_path / name, tensors)], cache=tmp_path / "cache")


def test_digest_depends_on_every_part_and_on_where_parts_end() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert len(digest(b"x")) == 16


def test_require_same_names_what_differs() -> None:
    with pytest.raises(EncoderMismatch, match=r"holiday.*its text part differs"):
        require_same({"text": "1", "image": "2"}, {"text": "9", "image": "2"}, "holiday")


def test_a_text_only_node_fits_an_image_only_one() -> None:
    require_same({"vectors": "v", "image": "2"}, {"vectors": "v", "text": "1"}, "holiday")


def test_other_values_names_and_shapes_hash_differently(tmp_path: Path) -> None:
    weight = TENSORS["text.weight"]
    variants = [
        TENSORS,
        TENSORS | {"text.weight": weight + 0.5},
        TENSORS | {"text.weight": weight.reshape(4, 3)},
        {"text.bias": weight, "image.weight": TENSORS["image.weight"]},
    ]
    hashes = {hashed(tmp_path, variant, f"{i}.safetensors") for i, variant in enumerate(variants)}
    assert len(hashes) == len(variants)


def test_the_stored_dtype_does_not_matter(tmp_path: Path) -> None:
    halves = {name: tensor.bfloat16() for name, tensor in TENSORS.items()}
    assert hashed(tmp_path, TENSORS, "a.safetensors") == hashed(tmp_path, halves, "b.safetensors")


def test_neither_shards_nor_the_file_format_matter(tmp_path: Path) -> None:
    shards = [
        saved(tmp_path / f"{i}.safetensors", {name: tensor})
        for i, (name, tensor) in enumerate(TENSORS.items())
    ]
    torch.save(TENSORS, tmp_path / "a.bin")
    torch.save(TENSORS, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    whole = hashed(tmp_path, TENSORS)
    for files in (shards, shards[::-1], [tmp_path / "a.bin"], [tmp_path / "old.bin"]):
        assert hash_tensors(files, cache=tmp_path / "cache") == whole


def test_only_the_asked_tensors_count(tmp_path: Path) -> None:
    other = TENSORS | {"image.weight": torch.zeros(8)}
    files = [saved(tmp_path / "a.safetensors", TENSORS), saved(tmp_path / "b.safetensors", other)]
    cache = tmp_path / "cache"
    text = [hash_tensors([file], lambda name: name.startswith("text"), cache) for file in files]
    image = [hash_tensors([file], lambda name: name.startswith("image"), cache) for file in files]
    assert text[0] == text[1]
    assert image[0] != image[1]


def test_hashes_are_remembered_until_the_file_changes(tmp_path: Path) -> None:
    first = hashed(tmp_path, TENSORS)
    file = tmp_path / "a.safetensors"
    before = file.stat()

    saved(file, {name: tensor + 1 for name, tensor in TENSORS.items()})
    assert file.stat().st_size == before.st_size
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert hash_tensors([file], cache=tmp_path / "cache") == first, "the cache was not asked"

    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert hash_tensors([file], cache=tmp_path / "cache") != first


def test_a_damaged_cache_is_only_slower(tmp_path: Path) -> None:
    first = hashed(tmp_path, TENSORS)
    for entry in (tmp_path / "cache").iterdir():
        entry.write_text("{")
    assert hash_tensors([tmp_path / "a.safetensors"], cache=tmp_path / "cache") == first


def test_a_cache_that_cannot_be_written_is_only_slower(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert hashed(tmp_path, TENSORS) == hashed(tmp_path, TENSORS)


def test_the_cache_lies_beside_the_hubs_own(tmp_path: Path, hub_home: Path) -> None:
    hash_tensors([saved(tmp_path / "a.safetensors", TENSORS)])
    assert list((hub_home / "polylens" / "fingerprints").glob("*.json"))
