"""`polylens eval`"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import typer
from numpy.typing import NDArray

from api.cli import evaluate_flags as flags
from api.cli.options import CollectionName, Data, Device, EncoderName, More, installation
from api.installation import Installation
from encoders import BOTH, Modality
from retrieval.evaluate import (
    ADE20K,
    MSRVTT_FRAMES,
    RERANK,
    Copy,
    Embeddings,
    Follow,
    Kept,
    Result,
    as_json,
    evaluate_judgements,
    evaluate_segmentation,
    markdown,
    read_ade20k,
    read_judgements,
    save,
    suite,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

INCOMPLETE = 3  # exit code
TEXTS: frozenset[Modality] = frozenset({"text"})


PARTICULAR = (
    *("language", "annotations", "frames", "classes", "templates", "same_names"),
    *("rerank", "collection", "encoder"),
)
"""Flags that not every evaluation looks at."""


def evaluate(
    context: typer.Context,
    dataset: flags.Dataset = None,
    root: flags.Root = None,
    language: flags.Language = None,
    annotations: flags.Annotations = None,
    frames: flags.Frames = MSRVTT_FRAMES,
    classes: flags.Classes = None,
    templates: flags.Templates = None,
    same_names: flags.SameNames = False,
    queries: flags.Queries = None,
    rerank: flags.Rerank = RERANK,
    output: flags.Output = None,
    json_: flags.AsJson = False,
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    device: Device = None,
    more: More = None,
) -> None:
    """Measure an encoder on public data sets, or a collection on your own queries.

    \b
    polylens eval flickr30k --root ~/data/flickr30k -e internvl-g
    polylens eval ade20k --root ~/data/ADEChallengeData2016 --set segmenter=FILE.pth
    polylens eval --queries queries.jsonl -c photos

    Vectors are cached: an interrupted run continues where it stopped. Exit code 3 means that the
    copy is incomplete, and the numbers are for the part that is there.
    """
    if (dataset is None) == (queries is None) or (dataset is None) != (root is None):
        raise typer.BadParameter("give a data set and --root, or --queries and a collection")
    needs = TEXTS if queries is not None and not rerank else BOTH
    with installation(
        more, needs, data=data, collection=collection, encoder=encoder, device=device
    ) as polylens:
        _refuse_unused(context, dataset)
        if queries is not None:
            results = _judged(polylens, queries, rerank)
        elif dataset == ADE20K:
            results = [_segmented(polylens, root or Path())]
        else:
            copy = Copy(
                root or Path(), language or (), annotations, frames, classes, templates, same_names
            )
            results = _public(polylens, dataset or "", copy)
        folder = output or polylens.settings.data / "evaluations"
        paths = _save(results, folder, language or [])
    _print(results, paths, json_=json_)
    raise typer.Exit(0 if all(result.complete for result in results) else INCOMPLETE)


def _refuse_unused(context: typer.Context, dataset: str | None) -> None:
    """Raise `BadParameter` for a flag that this evaluation would not look at."""
    if dataset is None:
        taken = {"rerank", "collection", "encoder"}
    elif dataset == ADE20K:
        taken = set[str]()
    else:
        taken = {name.replace("languages", "language") for name in suite(dataset).takes}
        taken.add("encoder")
    sources = {name: context.get_parameter_source(name) for name in PARTICULAR}
    given = [name for name, source in sources.items() if source and source.name == "COMMANDLINE"]
    unused = [f"--{name.replace('_', '-')}" for name in given if name not in taken]
    if unused:
        hint = "; it measures a segmenter: --set segmenter=FILE" if dataset == ADE20K else ""
        what = dataset or "an evaluation of your own queries"
        raise typer.BadParameter(f"{what} does not use {', '.join(unused)}{hint}")


def _save(results: Sequence[Result], folder: Path, languages: Sequence[str]) -> list[Path]:
    try:
        return save(results, folder, languages)
    except OSError as error:
        typer.echo(markdown(results))
        raise typer.BadParameter(
            f"{folder} cannot be written: {error.strerror or error}"
        ) from error


def _judged(polylens: Installation, queries: Path, rerank: int) -> list[Result]:
    judgements = read_judgements(queries)
    return evaluate_judgements(judgements, polylens.searcher(polylens.settings.collection), rerank)


def _public(polylens: Installation, dataset: str, copy: Copy) -> list[Result]:
    run = suite(dataset).run
    with _bars() as follow:

        @cache
        def load() -> Embeddings:
            return Embeddings(polylens.encoder(), _cache(polylens), follow)

        return list(run(copy, load, read_frames))


def _segmented(polylens: Installation, root: Path) -> Result:
    from api.heads import Heads

    mapped = read_ade20k(root)
    with Heads(polylens.settings).segmenter() as segmenter, _bars() as follow:
        name = polylens.settings.segmenter.stem if polylens.settings.segmenter else ""
        return evaluate_segmentation(mapped, segmenter, name, Kept(_cache(polylens)), follow)


def _cache(polylens: Installation) -> Path:
    return polylens.settings.data / "cache" / "evaluations"


@contextmanager
def _bars() -> Iterator[Follow]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        yield _Bars(progress)


def read_frames(path: Path, count: int) -> Iterator[NDArray[np.uint8]]:
    """At most `count` uniform frames of a video, as the public script samples them.

    Raises `ValueError` where there is nothing to see.
    """
    from ingestion import MediaError
    from ingestion.segments import uniform
    from ingestion.video import Video

    try:
        video = Video(path)
        times = video.timeline.times
        wanted = [float(times[at]) for at in uniform(len(times), count)]
        for shot in video.shots(wanted):
            yield shot.image
    except MediaError as error:
        raise ValueError(str(error)) from error


class _Bars:
    """A bar for each kind of thing that is worked on."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._tasks: dict[str, tuple[TaskID, int]] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks or done <= self._tasks[what][1]:
            self._tasks[what] = (self._progress.add_task(what, total=total), 0)
        task, _ = self._tasks[what]
        self._tasks[what] = (task, done)
        self._progress.update(task, completed=done, total=total)


def _print(results: Sequence[Result], paths: Sequence[Path], *, json_: bool) -> None:
    if json_:
        typer.echo(json.dumps(as_json(results), ensure_ascii=False))
        return
    typer.echo(markdown(results))
    typer.echo(f"saved as {' and '.join(map(str, paths))}", err=True)
