"""Texts, images and frames to unit vectors. Imports nothing of ours."""

from encoders.base import Encoder, EncoderInfo, Modality, Pixels, RGBImage, Vectors, unit
from encoders.errors import (
    CheckpointError,
    EncoderError,
    EncoderMismatch,
    InvalidInput,
    InvalidOption,
    ModelUnavailable,
    UnknownEncoder,
)
from encoders.fingerprint import require_same
from encoders.registry import ENCODERS, LoadOptions, load_encoder

__all__ = [
    "ENCODERS",
    "CheckpointError",
    "Encoder",
    "EncoderError",
    "EncoderInfo",
    "EncoderMismatch",
    "InvalidInput",
    "InvalidOption",
    "LoadOptions",
    "Modality",
    "ModelUnavailable",
    "Pixels",
    "RGBImage",
    "UnknownEncoder",
    "Vectors",
    "load_encoder",
    "require_same",
    "unit",
]
