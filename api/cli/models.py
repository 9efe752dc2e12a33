"""`polylens models`"""

from rich.console import Console
from rich.table import Table

from encoders import BUILDERS, EncoderError, load_encoder


def models() -> None:
    """List the encoders that can be used by name, and whether each runs here."""
    rows = Table(box=None, pad_edge=False)
    for title in ("name", "here", "vectors", "what it is"):
        rows.add_column(title)
    for name in BUILDERS:
        rows.add_row(name, *_describe(name))
    console = Console()
    console.print(rows)
    console.print(
        "\nAlso: the folder or hub id of an InternVL, SigLIP 2, CLIP, MetaCLIP 2, Chinese-CLIP "
        "or AltCLIP checkpoint,\ne.g. [bold]--encoder google/siglip2-base-patch16-224[/]"
    )


def _describe(name: str) -> tuple[str, str, str]:
    try:
        info = load_encoder(name).info
    except EncoderError as error:
        return "no", "", str(error)
    vectors = ", ".join(f"{vector} ({dim})" for vector, dim in info.vectors.items())
    return "yes", vectors, info.description
