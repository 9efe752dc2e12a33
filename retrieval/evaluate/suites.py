"""The public data sets by name, each with its protocol."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval.classify.prompts import Prompts
from retrieval.errors import InvalidDataset
from retrieval.evaluate.classes import evaluate_classes
from retrieval.evaluate.dataset import Pairs
from retrieval.evaluate.embeddings import Embeddings, ReadFrames
from retrieval.evaluate.layouts import coco, crossmodal, flickr30k, folders, msrvtt, xtd
from retrieval.evaluate.pairs import evaluate_images, evaluate_videos
from retrieval.evaluate.published import XTD_LANGUAGES
from retrieval.evaluate.result import Result

MSRVTT_FRAMES = 8


@dataclass(frozen=True)
class Copy:
    """A local copy of a data set, and what else its protocol may need.

    `languages` are those wanted, none for all that the copy has. `annotations` is MSR-VTT's
    list; `classes` and `templates` are files for classification.
    """

    root: Path
    languages: Sequence[str] = ()
    annotations: Path | None = None
    frames: int = MSRVTT_FRAMES
    classes: Path | None = None
    templates: Path | None = None
    same_names: bool = False


Load = Callable[[], Embeddings]
"""Called once the copy was read: a model takes minutes to load, a wrong path no time to find."""
Run = Callable[[Copy, Load, ReadFrames], Iterator[Result]]


@dataclass(frozen=True)
class Suite:
    """`run` yields a result for each language and vector; it raises `InvalidDataset`.

    `takes` are the fields of `Copy`, beside the root, that its protocol looks at.
    """

    summary: str
    run: Run
    takes: Sequence[str] = ("languages",)


def suite(name: str) -> Suite:
    """Raises `InvalidDataset` naming those there are."""
    if name not in SUITES:
        raise InvalidDataset(f"there is no data set {name!r}, only {', '.join(DATASETS)}")
    return SUITES[name]


def _captioned(
    file: Callable[[Path, str], Path],
    read: Callable[[Path, str], Pairs],
    languages: Sequence[str] = ("en", "zh"),
) -> Run:
    """Every language that was asked for, else every one whose `file` of captions is there."""

    def run(copy: Copy, load: Load, _: ReadFrames) -> Iterator[Result]:
        _require_known(copy.languages, languages)
        here = [language for language in languages if file(copy.root, language).is_file()]
        for language in copy.languages or here or languages[:1]:
            pairs = read(copy.root, language)
            yield from evaluate_images(pairs, load())

    return run


def _require_known(asked: Sequence[str], known: Sequence[str]) -> None:
    unknown = [language for language in asked if language not in known]
    if unknown:
        raise InvalidDataset(
            f"this data set has no captions in {', '.join(unknown)}, only in {', '.join(known)}"
        )


def _msrvtt(copy: Copy, load: Load, read_frames: ReadFrames) -> Iterator[Result]:
    if copy.annotations is None:
        raise InvalidDataset("MSR-VTT needs --annotations: a JSON list or the CSV of its test set")
    _require_known(copy.languages, ["en"])
    pairs = msrvtt.read(copy.root, copy.annotations)
    yield from evaluate_videos(pairs, load(), copy.frames, read_frames)


def _classified(name: str) -> Run:
    def run(copy: Copy, load: Load, _: ReadFrames) -> Iterator[Result]:
        if copy.classes is None:
            raise InvalidDataset(
                "classification needs --classes: a file with the class names, one for each folder "
                "in order, or 'FOLDER<tab>name'"
            )
        if len(copy.languages) > 1:
            raise InvalidDataset("class names are in one language: give one --language")
        language = copy.languages[0] if copy.languages else "en"
        given = copy.templates
        prompts = Prompts.read(given) if given else Prompts.in_language(language)
        labelled = folders.read(copy.root, copy.classes, language, name, same_names=copy.same_names)
        yield from evaluate_classes(labelled, prompts, load())

    return run


SUITES: Mapping[str, Suite] = {
    "flickr30k": Suite("1000 photos, en and zh", _captioned(flickr30k.file, flickr30k.read)),
    "coco": Suite("5000 photos in en, 1000 in zh", _captioned(coco.file, coco.read)),
    "xtd": Suite("1000 photos, 8 languages", _captioned(xtd.file, xtd.read, XTD_LANGUAGES)),
    "crossmodal3600": Suite(
        "3600 photos, 36 languages",
        _captioned(crossmodal.file, crossmodal.read, crossmodal.LANGUAGES),
    ),
    "msrvtt": Suite(
        "videos, with and without dual softmax", _msrvtt, ("languages", "annotations", "frames")
    ),
    **{
        name: Suite(
            "images in a folder for each class",
            _classified(name),
            ("languages", "classes", "templates", "same_names"),
        )
        for name in (
            *("imagenet", "imagenet-a", "imagenet-r", "imagenetv2", "imagenet-sketch"),
            *("objectnet", "folders"),
        )
    },
}

ADE20K = "ade20k"
"""Measures the segmenter, not an encoder: `evaluate_segmentation`."""

DATASETS = (*SUITES, ADE20K)
