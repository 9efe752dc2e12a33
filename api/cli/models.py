"""`polylens models`"""

from rich.console import Console
from rich.table import Table

from encoders import ENCODERS, EncoderError
from encoders.registry import Named


def models() -> None:
    """List the encoders you can use by name, and whether each is on this machine."""
    rows = Table(box=None, pad_edge=False)
    for title in ("name", "what it is", "here"):
        rows.add_column(title)
    for name, encoder in ENCODERS.items():
        rows.add_row(name, encoder.summary, _here(encoder))
    console = Console()
    console.print(rows)
    console.print(
        "\nAlso: the folder or hub id of an InternVL, SigLIP 2, CLIP, MetaCLIP 2, Chinese-CLIP "
        "or AltCLIP checkpoint,\ne.g. [bold]--encoder google/siglip2-base-patch16-224[/]"
    )


def _here(encoder: Named) -> str:
    try:
        encoder.require_here()
    except EncoderError:
        return f"no: hf download {encoder.checkpoint}"
    return "yes"
