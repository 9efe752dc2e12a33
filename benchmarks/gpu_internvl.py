"""InternVL on one device with random weights of full size: one run, one table.

    python benchmarks/gpu_internvl.py [--device cuda:0] [--batches 1,8,32,64] [--compile] [--float8]

Speed does not depend on what the weights are. The ceiling is the best of the model's own matrix
products on this device, measured here, with random values. The plain variant is the same maths
written out operation by operation in eager mode: what a model file without care would run.
Variants alternate, so that clocks and temperature hit all alike; times are medians.
`--size tiny` tries the script itself on a CPU: its numbers say nothing.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from encoders.internvl.attention import choose_attention, eager, split_heads
from encoders.internvl.float8 import quantise
from encoders.internvl.model import InternVL, InternVLConfig
from encoders.internvl.placement import on_meta
from encoders.internvl.qllama import QLlamaConfig
from encoders.internvl.vision import Attention, Block, VisionConfig
from encoders.internvl.weights import set_weight, shapes_of

SIZES = {
    "full": InternVLConfig(),
    "tiny": InternVLConfig(
        VisionConfig(64, 3, 4, 128, image_size=56), QLlamaConfig(100, 80, 4, 4, 160), 32, 4
    ),
}
LENGTHS = (8, 16, 32, 80)
WARM = 2  # runs before the counted ones

Work = Callable[[], object]


@dataclass(frozen=True)
class Bench:
    """A model on its device, and how often each thing is timed."""

    model: InternVL
    device: torch.device
    dtype: torch.dtype
    runs: int

    def pixels(self, count: int) -> Tensor:
        size = self.model.config.vision.image_size
        return torch.randn(count, 3, size, size, device=self.device, dtype=self.dtype)

    def ids(self, count: int, length: int) -> Tensor:
        vocabulary = self.model.config.qllama.vocab_size
        return torch.randint(3, vocabulary, (count, length), device=self.device)

    def seconds(self, work: dict[str, Work]) -> dict[str, float]:
        """Median seconds of each, one after the other in every round."""
        times: dict[str, list[float]] = {name: [] for name in work}
        for turn in range(WARM + self.runs):
            for name, call in work.items():
                taken = self._once(call)
                if turn >= WARM:
                    times[name].append(taken)
        return {name: statistics.median(taken) for name, taken in times.items()}

    @torch.inference_mode()
    def _once(self, call: Work) -> float:
        self._wait()
        start = time.perf_counter()
        call()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    device = torch.device(options.device)
    half = device.type == "cuda" or options.float8
    dtype = torch.bfloat16 if half else torch.float32
    model = random_model(SIZES[options.size], device, dtype)
    bench = Bench(model, device, dtype, options.runs)
    print(
        f"# InternVL, {options.size} size, {describe(device)}, torch {torch.__version__}, {dtype}\n"
    )
    ceiling = matmul_ceiling(bench, max(options.batches))
    print(f"matmul ceiling: {ceiling / 1e12:.3g} TFLOP/s\n")
    print("| what | batch | per second | of the ceiling | memory |\n|---|---|---|---|---|")
    for batch in options.batches:
        print_images(bench, batch, ceiling, compiled=options.compile, float8=options.float8)
    print("\n| texts | batch | tokens | per second | beside padding to 80 |\n|---|---|---|---|---|")
    for length in LENGTHS:
        print_texts(bench, max(options.batches), length)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--compile", action="store_true", help="also time torch.compile")
    parser.add_argument("--float8", action="store_true", help="also time 8-bit weights")
    parser.set_defaults(batches=[1, 8, 32, 64])
    return parser.parse_args(arguments)


def print_images(bench: Bench, batch: int, ceiling: float, *, compiled: bool, float8: bool) -> None:
    """Rows for C and C+G, and for the tower written out, in 8-bit floats and compiled."""
    model, pixels = bench.model, bench.pixels(batch)
    tower = model.vision_model
    assert tower is not None
    config = model.config
    work: dict[str, Work] = {
        "c": partial(model.embed_images, pixels, ["c"]),
        "c and g": partial(model.embed_images, pixels, ["c", "g"]),
        "tower alone": partial(tower, pixels),
        "tower, plain": partial(plain_tower, tower.embeddings, tower.encoder.layers, pixels),
    }
    if float8:
        small = copy.deepcopy(tower)
        quantise(small)
        work["tower, 8-bit weights"] = partial(small, pixels)
        if compiled:
            work["tower, 8-bit, torch.compile"] = partial(torch.compile(small), pixels)
    if compiled:
        work["tower, torch.compile"] = partial(torch.compile(tower), pixels)
    vision, queries = vision_flops(config.vision), query_flops(config)
    memory = peak_memory(bench, work["c and g"])
    for name, seconds in bench.seconds(work).items():
        flops = batch * (vision + (queries if name == "c and g" else 0))
        share = flops / seconds / ceiling
        print(f"| {name} | {batch} | {batch / seconds:.1f} | {share:.0%} | {memory} |")


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
            }
        )
        ratio = seconds["short"] / seconds["padded"]
        print(f"| text | {count} | {length} | {count / seconds['short']:.1f} | {ratio:.2f}x |")


def matmul_ceiling(bench: Bench, batch: int) -> float:
    """FLOP/s of the fastest of the tower's own products at the largest batch."""
    config = bench.model.config.vision
    rows, width = batch * config.tokens, config.hidden_size
    best = 0.0
    for inner, outer in ((width, 3 * width), (width, config.intermediate_size)):
        left = torch.randn(rows, inner, device=bench.device, dtype=bench.dtype)
        right = torch.randn(outer, inner, device=bench.device, dtype=bench.dtype)
        seconds = bench.seconds({"product": partial(functional.linear, left, right)})["product"]
        best = max(best, 2 * rows * inner * outer / seconds)
    return best


def vision_flops(config: VisionConfig) -> float:
    """Floating-point operations of the tower for one image: its products and its attention."""
    width, tokens = config.hidden_size, config.tokens
    block = 2 * tokens * (4 * width**2 + 2 * width * config.intermediate_size)
    return config.num_hidden_layers * (block + 4 * tokens**2 * width)


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


def random_model(config: InternVLConfig, device: torch.device, dtype: torch.dtype) -> InternVL:
    """Weights of a size that keeps activations finite; norms and scales as at initialisation."""
    attention = choose_attention(device, dtype)
    model = on_meta(lambda: InternVL(config, {"c", "g", "text"}, attention))
    for name, shape in shapes_of(model).items():
        fill = 0.1 if name.endswith(("ls1", "ls2")) else 1.0
        weight = torch.full(shape, fill, device=device, dtype=dtype)
        set_weight(model, name, weight if len(shape) < 2 else weight.normal_(std=0.02))
    return model.to(device).eval()


def peak_memory(bench: Bench, call: Work) -> str:
    """The most memory in use during a call, weights included."""
    if bench.device.type != "cuda":
        return "-"
    torch.cuda.reset_peak_memory_stats(bench.device)
    with torch.inference_mode():
        call()
    return f"{torch.cuda.max_memory_allocated(bench.device) / 1e9:.1f} GB"


def describe(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


if __name__ == "__main__":
    main()
