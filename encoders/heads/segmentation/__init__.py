"""Semantic segmentation: InternViT with a linear or an UperNet head, 150 classes of ADE20K."""

from encoders.heads.segmentation.classes import ADE20K, palette
from encoders.heads.segmentation.load import SegmentationOptions, load_segmenter
from encoders.heads.segmentation.segmenter import Segmentation, Segmenter

__all__ = [
    "ADE20K",
    "Segmentation",
    "SegmentationOptions",
    "Segmenter",
    "load_segmenter",
    "palette",
]
