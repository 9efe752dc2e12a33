"""Texts, images and frames to unit vectors. Imports nothing of ours."""

from encoders.base import (
    Ability,
    Encoder,
    EncoderInfo,
    Matcher,
    Modality,
    Pixels,
    Preprocess,
    RGBImage,
    Use,
    Vectors,
    unit,
)
from encoders.errors import (
    CheckpointError,
    EncoderError,
    EncoderMismatch,
    EncoderUnavailable,
    InvalidInput,
    InvalidOption,
    ModelUnavailable,
    TooLittleMemory,
    TowerNotLoaded,
    UnknownEncoder,
)
from encoders.fingerprint import require_same
from encoders.registry import BOTH, ENCODERS, LoadOptions, load_encoder

__all__ = [
    "BOTH",
    "ENCODERS",
    "Ability",
    "CheckpointError",
    "Encoder",
    "EncoderError",
    "EncoderInfo",
    "EncoderMismatch",
    "EncoderUnavailable",
    "InvalidInput",
    "InvalidOption",
    "LoadOptions",
    "Matcher",
    "Modality",
    "ModelUnavailable",
    "Pixels",
    "Preprocess",
    "RGBImage",
    "TooLittleMemory",
    "TowerNotLoaded",
    "UnknownEncoder",
    "Use",
    "Vectors",
    "load_encoder",
    "require_same",
    "unit",
]
