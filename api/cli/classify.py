"""`polylens classify`"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import (
    CollectionName,
    Data,
    Device,
    EncoderName,
    FilterFlag,
    More,
    TowersFlag,
    installation,
    parse_filter,
)
from api.cli.render import printable
from api.installation import Installation
from encoders import Encoder, Modality
from indexer import Collection
from retrieval import InvalidQuery
from retrieval.classify import (
    Classifier,
    ClassList,
    Guess,
    Prompts,
    classify_points,
    tag_points,
    zero_shot,
)

if TYPE_CHECKING:
    from retrieval.classify.tagging import Labelled

SOME_FAILED = 3  # exit code


@dataclass(frozen=True)
class Labels:
    """Where the labels come from: a probe's name, or classes for texts in a language."""

    probe: str | None
    classes: Path | None
    given: list[str]
    language: str
    templates: Path | None
    several: bool

    def __post_init__(self) -> None:
        if sum(map(bool, (self.probe, self.classes, self.given))) != 1:
            raise typer.BadParameter(
                "give exactly one of --classes FILE, --label (repeatable) and --probe"
            )

    @cached_property
    def class_list(self) -> ClassList:
        """Raises `InvalidClasses`."""
        return ClassList.read(self.classes) if self.classes else ClassList.of(self.given)

    def check(self) -> None:
        """Raise for a list or templates that cannot be used, before a model is loaded."""
        if self.probe is None:
            _ = self.class_list
        if self.templates:
            Prompts.read(self.templates)

    def needs(self, *, files: bool) -> frozenset[Modality]:
        """The towers it takes to label files, or what is stored."""
        used: dict[Modality, bool] = {"image": files, "text": self.probe is None}
        return frozenset(tower for tower, is_used in used.items() if is_used)

    def classifier(self, polylens: Installation, encoder: Encoder | None) -> Classifier:
        """Raises what reading the lists or finding the probe does."""
        if self.probe is not None or encoder is None:
            return polylens.probes.load(self.probe or "")
        prompts = (
            Prompts.read(self.templates)
            if self.templates
            else Prompts.suited(encoder.info, self.language)
        )
        cache = polylens.classifiers
        return zero_shot(encoder, self.class_list, prompts, exclusive=not self.several, cache=cache)


def classify(
    sources: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders; default: a collection.")
    ] = None,
    classes: Annotated[
        Path | None,
        typer.Option(help="File of class names, one per line, or label, tab, words for prompts."),
    ] = None,
    label: Annotated[list[str] | None, typer.Option(help="A class; repeatable.")] = None,
    probe: Annotated[
        str | None, typer.Option(help="Use this probe instead: see polylens probe.")
    ] = None,
    language: Annotated[
        str, typer.Option(help="Language of the class names: en, zh, ja, ar or it.")
    ] = "en",
    templates: Annotated[
        Path | None, typer.Option(help="File of your own prompts, with {c} for the class.")
    ] = None,
    several: Annotated[
        bool, typer.Option("--multi", help="Allow any number of labels, not just one.")
    ] = False,
    top: Annotated[int | None, typer.Option(min=1, help="Most labels per file or point.")] = None,
    at_least: Annotated[
        float | None, typer.Option(min=0, max=1, help="Drop labels of lower probability.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Write labels to this payload key of the collection's points."
        ),
    ] = None,
    filter_: FilterFlag = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    data: Data = None,
    collection: CollectionName = None,
    encoder: EncoderName = None,
    device: Device = None,
    towers: TowersFlag = None,
    more: More = None,
) -> None:
    """Label images and videos: files, or the points of a collection.

    \b
    polylens classify photo.jpg --label cat --label dog
    polylens classify ~/Pictures --classes animals.txt --json
    polylens classify --classes topics.txt --multi --store tags
    polylens classify --probe birds --store species --at-least 0.8
    """
    if sources and (store or filter_):
        raise typer.BadParameter("--store and --filter work on a collection: do not name files")
    labels = Labels(probe, classes, label or [], language, templates, several)
    labels.check()
    with installation(
        more,
        labels.needs(files=bool(sources)),
        data=data,
        collection=collection,
        encoder=encoder,
        device=device,
        towers=towers,
    ) as polylens:
        if sources:
            failed = _files(polylens, labels, sources, top, at_least, as_json=as_json)
            raise typer.Exit(SOME_FAILED if failed else 0)
        opened = polylens.store.open(polylens.settings.collection)
        classifier = labels.classifier(polylens, None if probe else polylens.encoder(opened))
        condition = parse_filter(filter_)
        found = classify_points(opened, classifier, filter=condition, top=top, at_least=at_least)
        _stored(opened, found, store, as_json=as_json)


def _files(
    polylens: Installation,
    labels: Labels,
    sources: list[Path],
    top: int | None,
    at_least: float | None,
    *,
    as_json: bool,
) -> int:
    """Print the labels of each file; how many could not be read."""
    from api.features import SKIPPED, Features
    from ingestion import Limits, walk

    using = polylens.encoder(polylens.collection())
    classifier = labels.classifier(polylens, using)
    classifier.require_fits(
        using.info.vectors, using.info.fingerprint, f"encoder {using.info.name}"
    )
    limits = Limits(max_pixels=polylens.settings.max_image_pixels)
    features = Features(using, classifier.vector, classifier.use, limits)
    paths = (item.path for item in chain.from_iterable(map(walk, sources)) if not item.skip)
    failed = 0
    for feature in features.of(paths):
        name = printable(str(feature.path))
        if feature.row is None:
            failed += not feature.reason.startswith(SKIPPED)
            typer.echo(f"{name}: {feature.reason}", err=True)
            continue
        (guesses,) = classifier.guess(feature.row[None], top=top, at_least=at_least)
        _show({"file": name}, guesses, as_json=as_json)
    return failed


def _stored(
    collection: Collection, found: "Iterator[Labelled]", key: str | None, *, as_json: bool
) -> None:
    """Print the labels of each point, or write them and print how many have each."""
    if key is None:
        for record, guesses in found:
            name = printable(str(record.payload.get("name", record.asset)))
            start = {"start": record.payload["start"]} if "start" in record.payload else {}
            _show({"file": name, "point": str(record.id), **start}, guesses, as_json=as_json)
        return
    from ingestion.payloads import KEPT

    if not key.strip():
        raise InvalidQuery("--store takes the name of a payload key, e.g. tags")
    if key in KEPT:
        raise InvalidQuery(f"--store {key}: the file itself sets this key; choose another")
    counts = Counter(tag_points(collection, found, key))
    if as_json:
        typer.echo(json.dumps(dict(counts.most_common()), ensure_ascii=False))
        return
    for label, count in counts.most_common():
        typer.echo(f"{count}\t{printable(label)}")


def _show(what: dict[str, object], guesses: Iterable[Guess], *, as_json: bool) -> None:
    if as_json:
        found = {**what, "labels": [asdict(guess) for guess in guesses]}
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    said = ", ".join(f"{printable(guess.label)} {guess.probability:.0%}" for guess in guesses)
    typer.echo(f"{what['file']}\t{said or '-'}")
