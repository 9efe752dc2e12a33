"""Any dual image-text encoder of `transformers`, chosen by the checkpoint's own config.json."""

from encoders.dual.encoder import DualEncoder

__all__ = ["DualEncoder"]
