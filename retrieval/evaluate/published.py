"""Numbers published for InternVL-C and -G, zero-shot, and for heads on InternViT, in percent.

From the InternVL paper (Chen et al. 2023, arXiv:2312.14238) and the public project's own pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass

RETRIEVAL = tuple(f"{way} R@{k}" for way in ("image to text", "text to image") for k in (1, 5, 10))
XTD_LANGUAGES = ("en", "es", "fr", "zh", "it", "ko", "ru", "ja")
VIDEO = tuple(f"{way} R@{k}" for way in ("text to video", "video to text") for k in (1, 5, 10))
XTD = ("image to text R@10",)
ACCURACY = ("top 1",)

TUNED = {"en": "Flickr30K-FT", "zh": "FlickrCN-FT"}
"""Part of the name of the checkpoints that were tuned for these data."""

SIZES = {
    ("flickr30k", "en"): 1000,
    ("flickr30k", "zh"): 1000,
    ("coco", "en"): 5000,
    ("coco", "zh"): 1000,
    **{("xtd", language): 1000 for language in XTD_LANGUAGES},
    ("msrvtt", "en"): 2990,
    **{("imagenet", language): 50_000 for language in ("en", "zh", "ja", "ar", "it")},
    ("imagenet-a", "en"): 7500,
    ("imagenet-r", "en"): 30_000,
    ("imagenetv2", "en"): 10_000,
    ("imagenet-sketch", "en"): 50_889,
    ("objectnet", "en"): 18_574,
}
"""Data set and language -> images or videos that the published numbers are of."""

SCENES = {"ade20k": 2000}
"""Data set of segmentation -> images."""

HEADS: Mapping[str, tuple[str, float]] = {
    "linear_intern_vit_6b_504_5k_ade20k_bs16_lr4e-5_1of16": ("linear, 1/16 of the data", 46.5),
    "linear_intern_vit_6b_504_10k_ade20k_bs16_lr4e-5_1of8": ("linear, 1/8 of the data", 50.0),
    "linear_intern_vit_6b_504_20k_ade20k_bs16_lr4e-5_1of4": ("linear, 1/4 of the data", 53.3),
    "linear_intern_vit_6b_504_40k_ade20k_bs16_lr4e-5_1of2": ("linear, 1/2 of the data", 55.8),
    "linear_intern_vit_6b_504_80k_ade20k_bs16_lr4e-5_1of1": ("linear, all of the data", 57.2),
    "linear_intern_vit_6b_504_80k_ade20k_bs16_lr4e-5_frozen": ("linear, frozen tower", 47.2),
    "upernet_intern_vit_6b_504_80k_ade20k_bs16_lr4e-5_frozen": ("UperNet, frozen tower", 54.9),
    "upernet_intern_vit_6b_504_80k_ade20k_bs16_lr4e-5": ("UperNet, all tuned", 58.9),
}
"""Public file without its ending -> what it is, and its mIoU on ADE20K."""

Key = tuple[str, str, str]
"""Model, data set, language."""

_ROWS: tuple[tuple[Key, tuple[str, ...], str], ...] = (
    (("InternVL-C", "flickr30k", "en"), RETRIEVAL, "94.7 99.6 99.9 81.7 96.0 98.2"),
    (("InternVL-G", "flickr30k", "en"), RETRIEVAL, "95.7 99.7 99.9 85.0 97.0 98.6"),
    (("InternVL-C", "coco", "en"), RETRIEVAL, "70.6 89.0 93.5 54.1 77.3 84.6"),
    (("InternVL-G", "coco", "en"), RETRIEVAL, "74.9 91.3 95.2 58.6 81.3 88.0"),
    (("InternVL-C", "flickr30k", "zh"), RETRIEVAL, "90.3 98.8 99.7 75.1 92.9 96.4"),
    (("InternVL-G", "flickr30k", "zh"), RETRIEVAL, "92.9 99.4 99.8 77.7 94.8 97.3"),
    (("InternVL-C", "coco", "zh"), RETRIEVAL, "68.8 92.0 96.7 68.9 91.9 96.5"),
    (("InternVL-G", "coco", "zh"), RETRIEVAL, "71.4 93.9 97.7 73.8 94.4 98.1"),
    ((f"InternVL-C {TUNED['en']}", "flickr30k", "en"), RETRIEVAL, "97.2 100 100 88.5 98.4 99.2"),
    ((f"InternVL-G {TUNED['en']}", "flickr30k", "en"), RETRIEVAL, "97.9 100 100 89.6 98.6 99.2"),
    ((f"InternVL-C {TUNED['zh']}", "flickr30k", "zh"), RETRIEVAL, "96.5 99.9 100 85.2 97.0 98.5"),
    ((f"InternVL-G {TUNED['zh']}", "flickr30k", "zh"), RETRIEVAL, "96.9 99.9 100 85.9 97.1 98.7"),
    (("InternVL-C", "msrvtt", "en"), VIDEO, "44.7 68.2 78.4 40.2 63.1 74.1"),
    (("InternVL-G", "msrvtt", "en"), VIDEO, "46.3 70.5 79.6 42.4 65.9 75.4"),
    *(
        ((model, "xtd", language), XTD, value)
        for model, values in (
            ("InternVL-C", "97.3 95.7 95.1 95.6 96.0 92.2 93.3 95.5"),
            ("InternVL-G", "98.6 97.7 96.5 96.7 96.9 95.1 94.8 96.1"),
        )
        for language, value in zip(XTD_LANGUAGES, values.split(), strict=True)
    ),
    *(
        (("InternVL-C", name, language), ACCURACY, value)
        for name, language, value in (
            ("imagenet", "en", "83.178"),
            ("imagenet", "zh", "64.46"),
            ("imagenet", "ja", "61.488"),
            ("imagenet", "ar", "44.86"),
            ("imagenet", "it", "65.686"),
            ("imagenet-a", "en", "83.773"),
            ("imagenet-r", "en", "95.497"),
            ("imagenetv2", "en", "77.26"),
            ("imagenet-sketch", "en", "73.859"),
            ("objectnet", "en", "80.591"),
        )
    ),
)
PUBLISHED: Mapping[Key, Mapping[str, float]] = {
    key: dict(zip(names, map(float, values.split()), strict=True)) for key, names, values in _ROWS
}


@dataclass(frozen=True)
class Reference:
    """What was published for a data set in a language: `model` is None where nothing was."""

    model: str | None
    numbers: Mapping[str, float]
    size: int

    @classmethod
    def of(cls, encoder: str, vector: str, dataset: str, language: str) -> "Reference":
        """For an encoder's vector, by the encoder's name."""
        tuned = next((name for name in TUNED.values() if name in encoder), None)
        model = " ".join(filter(None, (f"InternVL-{vector.upper()}", tuned)))
        numbers = PUBLISHED.get((model, dataset, language), {})
        return cls(model if numbers else None, numbers, SIZES.get((dataset, language), 0))

    @classmethod
    def of_segmenter(cls, name: str, dataset: str) -> "Reference":
        """For a head, by its file's name without the ending."""
        if name not in HEADS or dataset not in SCENES:
            return NOTHING
        head, value = HEADS[name]
        return cls(f"InternViT-6B {head}", {"mIoU": value}, SCENES[dataset])

    def doubts(self, listed: int) -> list[str]:
        """Why ours should not be compared with theirs, where a copy lists so many files."""
        if self.model is None or listed == self.size:
            return []
        return [f"this copy lists {listed} files, the published numbers are of {self.size}"]


NOTHING = Reference(None, {}, 0)
