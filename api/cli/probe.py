"""`polylens probe`: classifiers from examples of one's own, and public ones."""

from pathlib import Path
from typing import Annotated

import typer

from api.cli.options import Data, Device, EncoderName, More, installation
from api.cli.render import printable
from encoders import Modality
from retrieval.classify import ClassList

probe = typer.Typer(
    help="Train classifiers from labelled folders, or import them; polylens classify uses them.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name of the probe.")]


@probe.command()
def train(
    name: Name,
    folder: Annotated[
        Path, typer.Argument(help="Folder with one subfolder of examples per label.")
    ],
    vector: Annotated[
        str | None, typer.Option(help="Vector to learn from; default: the encoder's first.")
    ] = None,
    data: Data = None,
    encoder: EncoderName = None,
    device: Device = None,
    more: More = None,
) -> None:
    """Train a probe on labelled folders of images and videos.

    FOLDER/cat/1.jpg is an example of `cat`. A file that lies in several folders, byte for byte, has
    several labels, and then any number of labels may hold. The score is that of examples which were
    left out of training in turn.
    """
    from api.examples import read_examples
    from retrieval.classify import train as fit

    needs: frozenset[Modality] = frozenset({"image"})
    with installation(more, needs, data=data, encoder=encoder, device=device) as polylens:
        polylens.probes.require_name(name)
        using = polylens.encoder(polylens.collection())
        chosen = vector or next(iter(using.info.vectors))
        if chosen not in using.info.vectors:
            known = ", ".join(using.info.vectors)
            raise typer.BadParameter(f"{using.info.name} has no vector {chosen!r}: it has {known}")
        examples, left_out = read_examples(
            folder, using, chosen, polylens.settings.max_image_pixels
        )
        for feature in left_out:
            typer.echo(f"{printable(str(feature.path))}: {feature.reason}", err=True)
        trained = fit(examples, using.info, chosen)
        path = polylens.probes.save(name, trained.classifier)
    for label, count in trained.counts.items():
        typer.echo(f"{count}\t{printable(label)}")
    score = "accuracy" if trained.classifier.exclusive else "F1"
    typer.echo(f"{score} {trained.held_out:.3f} on held-out examples; saved as {path}")


@probe.command("import")
def import_(
    name: Name,
    file: Annotated[Path, typer.Argument(help="A public InternViT head, *_head.pth.")],
    classes: Annotated[
        Path | None, typer.Option(help="Class names in the head's order, one per line.")
    ] = None,
    data: Data = None,
) -> None:
    """Import a public InternViT linear-probe head, for --encoder internvit."""
    from retrieval.classify.public import read_public_head

    labels = ClassList.read(classes) if classes else None
    with installation(data=data) as polylens:
        path = polylens.probes.save(name, read_public_head(file, labels))
    typer.echo(f"saved as {path}")


@probe.command("list")
def show(data: Data = None) -> None:
    """List all probes and how they were made."""
    with installation(data=data) as polylens:
        for name in polylens.probes.names():
            found = polylens.probes.load(name)
            encoder = printable(found.encoder)
            typer.echo(f"{name}\t{len(found.labels)} labels\t{encoder}\t{printable(found.made)}")
