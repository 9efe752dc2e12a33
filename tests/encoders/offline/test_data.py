import shutil
from pathlib import Path

import numpy as np
import pytest

from encoders import CheckpointError, LoadOptions
from encoders.offline.data import PATH, checksum_path, load_data, pack, save_data, unpack
from encoders.offline.encoder import OfflineEncoder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for path in (PATH, checksum_path(PATH)):
        shutil.copy(path, tmp_path)
    return tmp_path / PATH.name


def test_the_shipped_file_is_sound_and_small(encoder: OfflineEncoder) -> None:
    data = load_data()
    assert PATH.stat().st_size < 12e6
    assert len(data.space.nodes) == 1856
    assert data.space.membership.sum(axis=1).max() <= 600
    assert (
        encoder.info.fingerprint["text"] == OfflineEncoder(LoadOptions()).info.fingerprint["text"]
    )


def test_a_flipped_bit_is_noticed(copy: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"damaged.*Reinstall polylens"):
        load_data(copy)


def test_a_truncated_file_is_noticed(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged"):
        load_data(copy)


@pytest.mark.parametrize("suffix", [".safetensors", ".sha256"])
def test_a_missing_file_says_what_to_do(copy: Path, suffix: str) -> None:
    copy.with_suffix(suffix).unlink()
    with pytest.raises(CheckpointError, match=r"cannot be read.*Reinstall polylens"):
        load_data(copy)


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "offline.safetensors"
    save_data({"mean": np.zeros(384, dtype=np.float16)}, path)
    with pytest.raises(CheckpointError, match="another version"):
        load_data(path)


def test_packing_again_changes_nothing(tmp_path: Path) -> None:
    data = load_data()
    checksum = save_data(pack(unpack(pack(data), "")), tmp_path / PATH.name)
    assert checksum == data.checksum
