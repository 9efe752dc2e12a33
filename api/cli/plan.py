"""`polylens plan`"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.cli.render import counted
from indexer import InvalidPoint, Payload
from indexer.payload import check_payload
from indexer.sizing import GIB, PAYLOAD, TB, Estimate, Load, Machine, estimates

MOST_ITEMS = 10**12
MOST_DIM = 65_536
H200 = 190.0  # images a second of InternVL-C: the target for one H200, not measured
SECONDS = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}


@dataclass(frozen=True)
class Encoding:
    """What it takes to make the vectors; `cost` is in the currency of the hourly price."""

    images: float
    images_per_second: float
    gpus: int
    gpu_hours: float
    seconds: float
    cost: float
    cost_per_1000: float


def plan(
    items: Annotated[str, typer.Option(help="Number of points: images or video segments.")],
    dims: Annotated[int, typer.Option(min=1, max=MOST_DIM, help="Dimensions of a vector.")] = 768,
    vectors: Annotated[str, typer.Option(help="Vector names, e.g. c,g.")] = "default",
    replicas: Annotated[
        int, typer.Option(min=1, max=100, help="Copies of each point (Qdrant).")
    ] = 1,
    node_ram: Annotated[float, typer.Option(help="RAM per machine, in GiB.")] = 64,
    node_disk: Annotated[float, typer.Option(help="Disk per machine, in TB.")] = 2,
    node_cores: Annotated[int, typer.Option(min=1, max=1024, help="Cores per machine.")] = 8,
    payload: Annotated[
        str | None, typer.Option(help="A typical payload as JSON; default: that of a photo.")
    ] = None,
    images_per_item: Annotated[float, typer.Option(help="Images or frames encoded per point.")] = 1,
    images_per_second: Annotated[
        float, typer.Option(help="Per GPU. The default is a target for an H200, not measured.")
    ] = H200,
    gpus: Annotated[int, typer.Option(min=1, max=100_000, help="Number of GPUs for encoding.")] = 1,
    gpu_hour: Annotated[float, typer.Option(help="Price of a GPU hour.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate RAM, disk, machines, time and cost for a number of items.

    \b
    polylens plan --items 1e6
    polylens plan --items 2.5e8 --images-per-item 4 --vectors c,g --replicas 2 --node-ram 256

    Formulas and measurements: docs/scaling.md
    """
    names = dict.fromkeys(_names(vectors), dims)
    load = Load(_count(items), names, payload=_payload(payload))
    ram, disk = _positive("--node-ram", node_ram), _positive("--node-disk", node_disk)
    machine = Machine(round(ram * GIB), round(disk * TB), node_cores)
    encoding = _encoding(
        load.items * _positive("--images-per-item", images_per_item),
        _positive("--images-per-second", images_per_second),
        gpus,
        _positive("--gpu-hour", gpu_hour),
    )
    found = estimates(load, machine, replicas)
    if as_json:
        print(json.dumps({"estimates": list(map(asdict, found)), "encoding": asdict(encoding)}))
        return
    _show(load, found, encoding)


def _encoding(images: float, rate: float, gpus: int, price: float) -> Encoding:
    hours = images / rate / 3600
    cost = hours * price
    return Encoding(
        images, rate, gpus, hours, 3600 * hours / gpus, cost, 1000 * price / (3600 * rate)
    )


def _show(load: Load, found: list[Estimate], encoding: Encoding) -> None:
    console = Console(highlight=False)
    rows = Table(box=None, pad_edge=False)
    for title in ("kept by", "index", "RAM", "disk", "nodes", "shards", "to build", "searches/s"):
        rows.add_column(title, justify="left" if title in {"kept by", "index"} else "right")
    for one in found:
        rows.add_row(*_cells(one), style="" if one.fits else "dim")
    vectors = ", ".join(f"{name} ({dim})" for name, dim in load.dims.items())
    console.print(f"{counted(load.items, 'point')} with {vectors}\n")
    console.print(rows)
    console.print(
        f"\nEncoding {encoding.images:,.0f} images at {encoding.images_per_second:g} a second and "
        f"GPU: {_time(encoding.seconds)} on {encoding.gpus}, {encoding.gpu_hours:,.1f} GPU hours, "
        f"cost {encoding.cost:,.2f} ({encoding.cost_per_1000:.4f} for 1,000 images)."
        "\nDim: does not fit one machine. Formulas: docs/scaling.md",
        soft_wrap=True,
    )


def _cells(one: Estimate) -> Iterator[str]:
    yield from (one.backend, one.index, _bytes(one.ram), _bytes(one.disk))
    yield from (f"{one.nodes:,}", f"{one.shards:,}", _time(one.build_seconds))
    yield (
        "not measured"
        if one.qps is None
        else f"{one.qps:,.3g}"
        if one.qps < 100
        else (f"{one.qps:,.0f}")
    )


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.1f} kB"


def _time(seconds: float) -> str:
    for unit, size in SECONDS.items():
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return "seconds"


def _count(text: str) -> int:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 1 <= number <= MOST_ITEMS or number != int(number):
        raise typer.BadParameter(f"--items takes a whole number from 1 to 1e12; got {text!r}")
    return int(number)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise typer.BadParameter(f"--vectors takes different names, e.g. c,g; got {text!r}")
    return names


def _positive(flag: str, number: float) -> float:
    if not 0 < number < math.inf:
        raise typer.BadParameter(f"{flag} takes a number above 0; got {number}")
    return number


def _payload(text: str | None) -> Payload:
    if text is None:
        return PAYLOAD
    try:
        payload: Payload = json.loads(text)
        check_payload(payload)
    except (ValueError, RecursionError, InvalidPoint) as error:
        raise typer.BadParameter(f"--payload takes a JSON object: {error}") from error
    return payload
