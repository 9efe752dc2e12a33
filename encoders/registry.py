"""From a name or a checkpoint path to a loaded encoder."""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from encoders.base import Encoder, Modality
from encoders.errors import UnknownEncoder

INTERNVL_14B = "OpenGVLab/InternVL-14B-224px"
INTERNVIT_6B = "OpenGVLab/InternViT-6B-224px"
INTERNVL_TYPES = ("internvl", "internvl_chat", "intern_vit_6b")

BOTH: frozenset[Modality] = frozenset({"text", "image"})


@dataclass(frozen=True)
class LoadOptions:
    """How to load an encoder; each encoder uses what applies to it.

    `device` is a torch device or a comma-separated list of them ("cuda:0,cuda:1"), each of which
    gets a process with a model of its own; `dtype` is a torch dtype name. None means the encoder's
    own choice. `towers` and `vectors` narrow what is loaded. `compile` runs InternVL's image tower
    through `torch.compile`: slower at first, faster after if at all. `key` is for a remote encoder.
    """

    device: str | None = None
    dtype: str | None = None
    vectors: Collection[str] | None = None
    towers: frozenset[Modality] = BOTH
    compile: bool = False
    key: str | None = field(default=None, repr=False)


def load_encoder(name_or_path: str, options: LoadOptions | None = None) -> Encoder:
    """Load an encoder by its name, or by the `config.json` of a checkpoint folder or hub id.

    A URL is that of another installation, whose encoder is used. Raises `UnknownEncoder`,
    `ModelUnavailable`, `EncoderUnavailable` or `CheckpointError`. Remote code is never run.
    """
    options = options or LoadOptions()
    if name_or_path.startswith(("http://", "https://")):
        from encoders.remote.encoder import RemoteEncoder

        return RemoteEncoder(name_or_path, options)
    if "," in (options.device or ""):
        from encoders.workers import WorkerEncoder

        return WorkerEncoder(name_or_path, options)
    if name_or_path in ENCODERS:
        return ENCODERS[name_or_path].build(options)
    if "/" in name_or_path or Path(name_or_path).exists():
        if _is_internvl(name_or_path):
            return _internvl(name_or_path, options)
        from encoders.dual.encoder import DualEncoder

        return DualEncoder.load(name_or_path, options)
    raise UnknownEncoder(
        f"no encoder is called {name_or_path!r}: use one of {', '.join(ENCODERS)}, "
        "the folder of a checkpoint, or a hub id such as google/siglip2-base-patch16-224"
    )


def _is_internvl(name_or_path: str) -> bool:
    """Whether this is a `.pth` file, or a checkpoint whose config names an InternVL."""
    from encoders.dual.files import find_checkpoint

    if Path(name_or_path).expanduser().is_file():
        return True
    try:
        config = json.loads((find_checkpoint(name_or_path) / "config.json").read_text("utf-8"))
        return config.get("model_type") in INTERNVL_TYPES
    except (OSError, ValueError, AttributeError):
        return False  # the general loader says what is wrong with it


def _internvl(name_or_path: str, options: LoadOptions, name: str | None = None) -> Encoder:
    from encoders.internvl.load import load_internvl

    return load_internvl(name_or_path, options, name)


def _internvl_c(options: LoadOptions) -> Encoder:
    options = replace(options, vectors=options.vectors or {"c"})
    return _internvl(INTERNVL_14B, options, "internvl-c")


def _internvl_g(options: LoadOptions) -> Encoder:
    return _internvl(INTERNVL_14B, options, "internvl-g")


def _internvit(options: LoadOptions) -> Encoder:
    return _internvl(INTERNVIT_6B, options, "internvit")


def _fake(_: LoadOptions) -> Encoder:
    from encoders.fake import FakeEncoder

    return FakeEncoder()


def _offline(options: LoadOptions) -> Encoder:
    from encoders.offline.encoder import OfflineEncoder

    return OfflineEncoder(options)


@dataclass(frozen=True)
class Named:
    """An encoder that goes by a name; `checkpoint` is the hub id whose files it needs, if any."""

    summary: str
    build: Callable[[LoadOptions], Encoder]
    checkpoint: str | None = None

    def require_here(self) -> None:
        """Raises `ModelUnavailable`, saying what fetches it, where its files are not here."""
        if self.checkpoint:
            from encoders.dual.files import find_checkpoint

            find_checkpoint(self.checkpoint)


# Builders import lazily: a text query with the offline encoder must not pay for torch.
ENCODERS: dict[str, Named] = {
    "offline": Named("a small offline noun-finder for trying things out, not InternVL", _offline),
    "internvl-g": Named("the best retrieval: vectors c and g", _internvl_g, INTERNVL_14B),
    "internvl-c": Named("the same in half the memory: vector c", _internvl_c, INTERNVL_14B),
    "internvit": Named("images only: image to image", _internvit, INTERNVIT_6B),
    "fake": Named("colours only, no model: for trying the plumbing", _fake),
}
