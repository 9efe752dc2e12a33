"""Errors an encoder raises; the edges (HTTP, command line) translate them once.

EncoderError
├── UnknownEncoder         no encoder of that name, and no checkpoint there
├── ModelUnavailable       weights are not on this machine (the message says what gets them)
├── EncoderUnavailable     the server of a remote encoder is away or busy: it may come back
├── CheckpointError        files are there but cannot be trusted or used as asked
│   └── TooLittleMemory    a device has less memory free than a model needs
├── EncoderMismatch        a collection was made by another encoder
├── InvalidOption          a device, dtype, tower or vector name that is not there
└── InvalidInput           a text or an image that cannot be encoded
    └── TowerNotLoaded     a text or an image for a tower that was left out
"""


class EncoderError(Exception):
    """Base of every error raised in `encoders`; its text is written for people."""


class UnknownEncoder(EncoderError):
    """No encoder of that name is registered and no checkpoint lies at that path."""


class ModelUnavailable(EncoderError):
    """The weights are missing; the message says what fetches them and what runs without them."""


class EncoderUnavailable(EncoderError):
    """The server of a remote encoder is away, busy or not ready; trying again later may help."""


class CheckpointError(EncoderError):
    """A checkpoint is damaged, of another architecture, or would need code we refuse to run."""


class TooLittleMemory(CheckpointError):
    """A device has less memory free than a model needs."""


class EncoderMismatch(EncoderError):
    """Vectors of two different encoders would meet in one collection."""


class InvalidOption(EncoderError):
    """A device, dtype, tower or vector name that this machine or encoder does not have."""


class InvalidInput(EncoderError):
    """A text or an image that this encoder cannot encode."""


class TowerNotLoaded(InvalidInput):
    """A text or an image for a tower that was left out to save memory."""

    def __init__(self, encoder: str, tower: str) -> None:
        """Keeps both as `args`, so that it can be sent between processes."""
        super().__init__(encoder, tower)

    def __str__(self) -> str:
        encoder, tower = self.args
        return (
            f"{encoder} was loaded without its {tower} tower: set `towers` to {tower!r} or to "
            "'both' (--towers, POLYLENS_TOWERS), if this checkpoint has one"
        )
