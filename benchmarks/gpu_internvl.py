"""InternVL on one device with random weights of full size: one run, every row.

    python -m benchmarks.gpu_internvl [--device cuda:0] [--batches 1,8,32,64] [--no-compile]

Takes some minutes and a GPU of 80 GB. Speed does not depend on what the weights are. The ceiling is
the best of the tower's own bfloat16 products on this device, measured here, with random values;
8-bit rows are shown beside the same one. The plain variant is the same maths written out operation
by operation in eager mode: what a model file without care would run. Variants alternate, so that
clocks and temperature hit all alike; times are medians. A variant that this device or its compiler
cannot run is a row that says so. `--size tiny` tries the script itself on a CPU: its numbers say
nothing.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.turns import Work, named, seconds_of
from encoders import InvalidOption
from encoders.internvl.attention import ATTENTION, choose_attention, eager, split_heads
from encoders.internvl.float8 import quantise, require_float8
from encoders.internvl.generate import present
from encoders.internvl.images import ImageSide
from encoders.internvl.model import InternVL, InternVLConfig, Part
from encoders.internvl.placement import on_meta
from encoders.internvl.qllama import QLlamaConfig
from encoders.internvl.runner import Runner
from encoders.internvl.vision import Attention, Block, VisionConfig, VisionTower
from encoders.internvl.weights import Site, set_weight, shapes_of

DTYPE = torch.bfloat16
PARTS: frozenset[Part] = frozenset({"c", "g", "text"})
SIZES = {
    "full": InternVLConfig(),
    "tiny": InternVLConfig(
        VisionConfig(64, 3, 4, 128, image_size=56), QLlamaConfig(100, 80, 4, 4, 160), 32, 4
    ),
}
LENGTHS = (8, 16, 32, 80)
WARM = 2  # runs before the counted ones
PRODUCTS = 10  # in one timing, so that launching the first and waiting for the last hardly count

M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True)
class Bench:
    """A model on its device, and how often each thing is timed."""

    model: InternVL
    plain: "PlainInternVL"
    device: torch.device
    runs: int

    def pixels(self, count: int) -> Tensor:
        size = self.model.config.vision.image_size
        return torch.randn(count, 3, size, size, device=self.device, dtype=DTYPE)

    def ids(self, count: int, length: int) -> Tensor:
        vocabulary = self.model.config.qllama.vocab_size
        return torch.randint(3, vocabulary, (count, length), device=self.device)

    def seconds(self, work: Mapping[str, Work]) -> dict[str, float]:
        """Median seconds of each, one after the other in every round."""
        return seconds_of(work, self.device, self.runs, WARM)


class PlainInternVL(InternVL):
    """The same maths written out: no fused attention, norm or residual in the tower."""

    def look(self, pixels: Tensor) -> Tensor:
        """See `InternVL.look`."""
        tower = present(self.vision_model, "c")
        return plain_tower(tower.embeddings, tower.encoder.layers, pixels)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if options.device is None and not torch.cuda.is_available():
        print("The full size needs a GPU, and none is here: --device cpu --size tiny tries it")
        return
    device = torch.device(options.device or "cuda:0")
    if device.type == "cuda":
        torch.cuda.set_device(device)  # CUDA graphs are captured on the current one
    config, attention = SIZES[options.size], choose_attention(device, DTYPE)
    model = random_model(config, device, attention)
    plain = sharing(model, device, lambda: PlainInternVL(config, PARTS, "eager"))
    bench = Bench(model, plain, device, options.runs)
    weights = sum(tensor.nbytes for tensor in model.state_dict().values())
    ceiling = matmul_ceiling(bench, max(options.batches))
    print(f"# InternVL, {options.size} size, {named(device)}, torch {torch.__version__}")
    print(f"\n{DTYPE}, {attention}; weights {weights / 1e9:.1f} GB; ", end="")
    print(f"matmul ceiling {ceiling / 1e12:.3g} TFLOP/s\n")
    print("| what | batch | per second | of the ceiling | memory beyond weights |")
    print("|---|---|---|---|---|", flush=True)
    towers = tower_variants(bench, attention, compiled=options.compile)
    for batch in options.batches:
        print_images(bench, batch, ceiling, towers)
    print_encoder(bench, max(options.batches), ceiling)
    print("\n| texts | batch | tokens | per second | beside padding to 80 | beside plain at 80 |")
    print("|---|---|---|---|---|---|")
    for length in LENGTHS:
        print_texts(bench, max(options.batches), length)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", help="cuda:0 by default")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.set_defaults(batches=[1, 8, 32, 64])
    return parser.parse_args(arguments)


def tower_variants(bench: Bench, attention: str, *, compiled: bool) -> dict[str, VisionTower]:
    """The tower as it is, in 8-bit floats where the device can, and each compiled by blocks."""
    config, whole = bench.model.config.vision, present(bench.model.vision_model, "c")

    def tower() -> VisionTower:
        return sharing(whole, bench.device, lambda: VisionTower(config, ATTENTION[attention]))

    towers = {"tower": tower()}
    if has_float8(bench.device):
        towers["tower, 8-bit weights"] = tower()
        quantise(towers["tower, 8-bit weights"])
    if compiled:
        towers["tower, torch.compile"] = tower()
        if has_float8(bench.device):
            towers["tower, 8-bit weights, torch.compile"] = tower()
            quantise(towers["tower, 8-bit weights, torch.compile"])
        for name, variant in towers.items():
            for block in variant.encoder.layers if "compile" in name else ():
                block.compile()
    return towers


def print_images(bench: Bench, batch: int, ceiling: float, towers: dict[str, VisionTower]) -> None:
    """Rows for C and C+G, ours and plain, and for the variants of the tower."""
    model, pixels = bench.model, bench.pixels(batch)
    work: dict[str, Work] = {
        "c": partial(model.embed_images, pixels, ["c"]),
        "c, plain": partial(bench.plain.embed_images, pixels, ["c"]),
        "c and g": partial(model.embed_images, pixels, ["c", "g"]),
        "c and g, plain": partial(bench.plain.embed_images, pixels, ["c", "g"]),
        **{name: partial(tower, pixels) for name, tower in towers.items()},
    }
    memory: dict[str, str] = {}
    for name, call in tuple(work.items()):
        try:
            memory[name] = added_memory(bench, call)
            if name == "c" and bench.device.type == "cuda":
                work["c, CUDA graph"] = graphed(call)
        except RuntimeError as error:  # out of memory, no compiler: the others go on
            print(f"| {name} | {batch} | failed: {reason(error)} | - | - |", flush=True)
            del work[name]
    for name, seconds in bench.seconds(work).items():
        flops = image_flops(model.config, queries="g" in name.split(",")[0])
        share, rate = batch * flops / seconds / ceiling, batch / seconds
        row = f"| {name} | {batch} | {rate:.1f} | {share:.0%} | {memory.get(name, '-')} |"
        print(row, flush=True)


def print_encoder(bench: Bench, batch: int, ceiling: float) -> None:
    """A row for the same from bytes in memory to vectors in memory, as ingestion calls it."""
    config = bench.model.config
    size = config.vision.image_size
    images = ImageSide(Runner(bench.model, bench.device, batch), {"c": config.clip_embed_dim}, size)
    pixels = [np.full((size, size, 3), index % 256, np.uint8) for index in range(8 * batch)]
    seconds = bench.seconds({"encoder": partial(images.encode, pixels)})["encoder"]
    share = len(pixels) * image_flops(config, queries=False) / seconds / ceiling
    print(f"| c, from bytes | 8 x {batch} | {len(pixels) / seconds:.1f} | {share:.0%} | - |")


def print_texts(bench: Bench, batch: int, length: int) -> None:
    """Rows for texts of that many tokens, together and one by one."""
    for count in (1, batch):
        ids = bench.ids(count, length)
        last = torch.full((count,), length - 1, device=bench.device)
        padded = functional.pad(ids, (0, max(LENGTHS) - length))
        seconds = bench.seconds(
            {
                "short": partial(bench.model.embed_texts, ids, last),
                "padded": partial(bench.model.embed_texts, padded, last),
                "plain": partial(bench.plain.embed_texts, padded, last),
            }
        )
        ratios = [seconds["short"] / seconds[name] for name in ("padded", "plain")]
        print(
            f"| text | {count} | {length} | {count / seconds['short']:.1f} "
            f"| {ratios[0]:.2f}x | {ratios[1]:.2f}x |",
            flush=True,
        )


def matmul_ceiling(bench: Bench, batch: int) -> float:
    """FLOP/s of the fastest of the tower's own products at the largest batch."""
    config = bench.model.config.vision
    rows, width, wide = batch * config.tokens, config.hidden_size, config.intermediate_size
    best = 0.0
    for inner, outer in ((width, 3 * width), (width, width), (width, wide), (wide, width)):
        left = torch.randn(rows, inner, device=bench.device, dtype=DTYPE)
        right = torch.randn(outer, inner, device=bench.device, dtype=DTYPE)
        seconds = bench.seconds({"products": partial(multiply, left, right)})["products"]
        best = max(best, PRODUCTS * 2 * rows * inner * outer / seconds)
    return best


def multiply(left: Tensor, right: Tensor) -> None:
    for _ in range(PRODUCTS):
        functional.linear(left, right)


def vision_flops(config: VisionConfig) -> float:
    """Floating-point operations of the tower for one image: its products and its attention."""
    width, tokens = config.hidden_size, config.tokens
    block = 2 * tokens * (4 * width**2 + 2 * width * config.intermediate_size)
    return config.num_hidden_layers * (block + 4 * tokens**2 * width)


def image_flops(config: InternVLConfig, *, queries: bool) -> float:
    """Floating-point operations of one image's `c`, or of `c` and `g`; the poolers' few apart."""
    return vision_flops(config.vision) + (query_flops(config) if queries else 0)


def query_flops(config: InternVLConfig) -> float:
    """Floating-point operations of the queries for one image, cross-attention included."""
    llama, vision = config.qllama, config.vision
    width, queries = llama.hidden_size, llama.num_query_token
    block = 2 * queries * (4 * width**2 + 3 * width * llama.intermediate_size)
    block += 4 * queries**2 * width
    cross = 4 * queries * width**2 + 4 * vision.tokens * vision.hidden_size * width
    cross += 4 * queries * vision.tokens * width
    layers = llama.num_hidden_layers
    return layers * block + -(-layers // llama.cross_attention_frequency) * cross


def plain_tower(embeddings: nn.Module, blocks: nn.ModuleList, pixels: Tensor) -> Tensor:
    """The tower written out: no fused attention, norm or residual."""
    tokens: Tensor = embeddings(pixels)
    for block in blocks:
        assert isinstance(block, Block)
        tokens = tokens + block.ls1 * plain_attention(block.attn, plain_norm(block.norm1, tokens))
        tokens = tokens + block.ls2 * block.mlp(plain_norm(block.norm2, tokens))
    return tokens


def plain_attention(attention: Attention, tokens: Tensor) -> Tensor:
    query, key, value = attention.qkv(tokens).chunk(3, dim=-1)
    query, key = plain_norm(attention.q_norm, query), plain_norm(attention.k_norm, key)
    split = [split_heads(part, attention.heads) for part in (query, key, value)]
    out: Tensor = attention.proj(eager(split[0], split[1], split[2], None, False))
    return out


def plain_norm(norm: nn.Module, tokens: Tensor) -> Tensor:
    assert isinstance(norm, nn.RMSNorm)
    single = tokens.float()
    scaled = single * torch.rsqrt(single.pow(2).mean(-1, keepdim=True) + (norm.eps or 0))
    return norm.weight * scaled.to(tokens.dtype)


def random_model(config: InternVLConfig, device: torch.device, attention: str) -> InternVL:
    """Weights of a size that keeps activations finite; norms and scales as at initialisation."""
    model = on_meta(lambda: InternVL(config, PARTS, attention))
    for name, shape in shapes_of(model).items():
        fill = 0.1 if name.endswith(("ls1", "ls2")) else 1.0
        weight = torch.full(shape, fill, device=device, dtype=DTYPE)
        set_weight(model, name, weight if len(shape) < 2 else weight.normal_(std=0.02))
    return Site(device, device).settle(model)


def sharing(model: nn.Module, device: torch.device, build: Callable[[], M]) -> M:
    """What `build` gives, over the weights of `model`: no memory of its own."""
    other = on_meta(build)
    for name, tensor in model.state_dict().items():
        set_weight(other, name, tensor)
    return Site(device, device).settle(other)


def has_float8(device: torch.device) -> bool:
    try:
        require_float8(device)
    except InvalidOption:
        return False
    return True


@torch.inference_mode()
def graphed(call: Work) -> Work:
    """A call that has run before, as one CUDA graph: nothing is launched kernel by kernel."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


@torch.inference_mode()
def added_memory(bench: Bench, call: Work) -> str:
    """The most memory that a call takes beside what there was before it."""
    call()  # what is set up once, such as compiled code, is no part of it
    if bench.device.type != "cuda":
        return "-"
    torch.cuda.reset_peak_memory_stats(bench.device)
    before = torch.cuda.memory_allocated(bench.device)
    call()
    return f"{(torch.cuda.max_memory_allocated(bench.device) - before) / 1e9:.2f} GB"


def reason(error: RuntimeError) -> str:
    """The first words of an error, fit for a cell of a table."""
    return f"{type(error).__name__}: {error}".splitlines()[0].replace("|", "/")[:100]


if __name__ == "__main__":
    main()
