"""From a name or a checkpoint path to a loaded encoder."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from encoders.base import Encoder, Modality
from encoders.errors import UnknownEncoder


@dataclass(frozen=True)
class LoadOptions:
    """How to load an encoder; each encoder uses what applies to it.

    `device` is a torch device or a comma-separated list of them ("cuda:0,cuda:1"), `dtype` a torch
    dtype name; None means the encoder's own choice. `towers` and `vectors` narrow what is loaded.
    """

    device: str | None = None
    dtype: str | None = None
    vectors: Collection[str] | None = None
    towers: frozenset[Modality] = field(default_factory=lambda: frozenset({"text", "image"}))


def load_encoder(name_or_path: str, options: LoadOptions | None = None) -> Encoder:
    """Load an encoder by its name, or by the `config.json` of a checkpoint folder or hub id.

    Raises `UnknownEncoder`, `ModelUnavailable` or `CheckpointError`. Remote code is never run.
    """
    options = options or LoadOptions()
    if name_or_path in BUILDERS:
        return BUILDERS[name_or_path](options)
    if "/" in name_or_path or Path(name_or_path).is_dir():
        from encoders.dual import DualEncoder

        return DualEncoder.load(name_or_path, options)
    raise UnknownEncoder(
        f"no encoder is called {name_or_path!r}: use one of {', '.join(BUILDERS)}, "
        "the folder of a checkpoint, or a hub id such as google/siglip2-base-patch16-224"
    )


def _fake(_: LoadOptions) -> Encoder:
    from encoders.fake import FakeEncoder

    return FakeEncoder()


def _offline(options: LoadOptions) -> Encoder:
    from encoders.offline.encoder import OfflineEncoder

    return OfflineEncoder(options)


# Builders import lazily: a text query with the offline encoder must not pay for torch.
BUILDERS: dict[str, Callable[[LoadOptions], Encoder]] = {"offline": _offline, "fake": _fake}
