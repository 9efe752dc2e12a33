"""Public linear-probe heads: what is in the file, and the same maths as torch's own layers."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from encoders import CheckpointError
from retrieval.classify import ClassList
from retrieval.classify.public import read_public_head
from retrieval.errors import InvalidClassifier

WIDTH, CLASSES = 128, 5


@pytest.fixture
def head() -> nn.Sequential:
    """Batch normalisation and a linear layer, with numbers that matter."""
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(WIDTH, eps=1e-6)
    for values in (norm.running_mean, norm.weight.data, norm.bias.data):
        assert values is not None
        values.normal_()
    assert norm.running_var is not None
    norm.running_var.uniform_(0.1, 3)
    return nn.Sequential(norm, nn.Linear(WIDTH, CLASSES)).eval()


def saved_plain(head: nn.Sequential, path: Path) -> None:
    torch.save(head.state_dict(), path)


def saved_in_training(head: nn.Sequential, path: Path) -> None:
    named = {f"module.head.{name}": tensor for name, tensor in head.state_dict().items()}
    torch.save({"module": named}, path)


def saved_safely(head: nn.Sequential, path: Path) -> None:
    save_file(head.state_dict(), path)


@pytest.mark.parametrize(
    ("save", "name"),
    [
        (saved_plain, "a_head.pth"),
        (saved_in_training, "b_head.pth"),
        (saved_safely, "c.safetensors"),
    ],
)
def test_logits_equal_the_layers(
    head: nn.Sequential,
    tmp_path: Path,
    save: Callable[[nn.Sequential, Path], None],
    name: str,
) -> None:
    save(head, tmp_path / name)
    classifier = read_public_head(tmp_path / name)
    rows = torch.randn(9, WIDTH) * 7
    with torch.inference_mode():
        expected = head(rows).numpy()
    np.testing.assert_allclose(classifier.logits(rows.numpy()), expected, atol=1e-4, rtol=1e-5)
    assert classifier.labels == ("0", "1", "2", "3", "4")
    assert (classifier.vector, classifier.use) == ("default", "class")


def test_a_normalisation_without_scale_is_one(head: nn.Sequential, tmp_path: Path) -> None:
    plain = nn.Sequential(nn.BatchNorm1d(WIDTH, eps=1e-6, affine=False), head[1]).eval()
    saved_plain(plain, tmp_path / "head.pth")
    classifier = read_public_head(tmp_path / "head.pth", ClassList.of(list("abcde")))
    rows = torch.randn(3, WIDTH)
    with torch.inference_mode():
        np.testing.assert_allclose(classifier.logits(rows.numpy()), plain(rows), atol=1e-4)
    assert classifier.labels == tuple("abcde")


def test_other_files_are_refused(head: nn.Sequential, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is missing"):
        read_public_head(tmp_path / "none.pth")
    path = tmp_path / "head.pth"
    torch.save(head[1].state_dict(), path)
    with pytest.raises(InvalidClassifier, match="1 matrices and 0 running means"):
        read_public_head(path)
    saved_plain(head, path)
    with pytest.raises(InvalidClassifier, match="has 5 classes, not 2"):
        read_public_head(path, ClassList.of(["a", "b"]))
    torch.save({**head.state_dict(), "0.running_var": torch.ones(3)}, path)
    with pytest.raises(InvalidClassifier, match="running_var should be 128 numbers"):
        read_public_head(path)
    path.write_bytes(b"no")
    with pytest.raises(CheckpointError, match="damaged"):
        read_public_head(path)
