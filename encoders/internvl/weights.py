"""Weights from files into a model built on the meta device, tensor by tensor, strictly.

No more than one tensor is held beside what is already in place, so that the peak is the size of
what is loaded. Nothing is returned half loaded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from encoders.errors import CheckpointError
from encoders.internvl.files import TensorFile
from encoders.internvl.layouts import LORA_ALPHA, lora_name, our_name
from encoders.internvl.memory import require_memory

SHOWN = 8  # names listed of each kind of difference

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Stored:
    """One tensor where it lies."""

    file: TensorFile
    name: str

    @property
    def shape(self) -> tuple[int, ...]:
        return self.file.shapes[self.name]

    def read(self) -> Tensor:
        return self.file.read(self.name)


@dataclass(frozen=True)
class Catalogue:
    """The tensors of a checkpoint under our names, and the LoRA updates beside them."""

    weights: dict[str, Stored] = field(default_factory=dict)
    updates: dict[str, dict[str, Stored]] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Iterable[TensorFile]) -> "Catalogue":
        """Names only; nothing is read."""
        catalogue = cls()
        for file in files:
            for name in file.shapes:
                catalogue._add(Stored(file, name))
        return catalogue

    def _add(self, stored: Stored) -> None:
        if update := lora_name(stored.name):
            self.updates.setdefault(update[0], {})[update[1]] = stored
        elif name := our_name(stored.name):
            self.weights[name] = stored

    def read(self, name: str) -> Tensor:
        """The weight of that name, with its LoRA update (if any) merged in."""
        weight = self.weights[name].read()
        if name not in self.updates:
            return weight
        down, up = (self.updates[name][half].read().float() for half in "AB")
        return (weight.float() + (LORA_ALPHA / len(down)) * (up @ down)).to(weight.dtype)


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every weight of a model."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def load_weights(
    model: nn.Module,
    catalogue: Catalogue,
    device: torch.device,
    dtype: torch.dtype,
    known: Iterable[str] | None,
) -> None:
    """Give a meta-device `model` its weights on `device` in `dtype`, frozen and ready to run.

    `known` are the names that a checkpoint may have beyond the model's own; None allows any.
    Raises `CheckpointError` with a report of every difference, or where memory lacks.
    """
    wanted = shapes_of(model)
    require_fit(wanted, catalogue, known)
    size = sum(tensor.numel() for tensor in model.state_dict().values())
    require_memory(size * dtype.itemsize, device)
    for name in wanted:
        set_weight(model, name, catalogue.read(name).to(device, dtype))
    model.to(device).eval()  # what is not a weight: tables of rotary positions


def set_weight(model: nn.Module, name: str, tensor: Tensor) -> None:
    """Replace one parameter, without gradients."""
    path, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(path), leaf, nn.Parameter(tensor, requires_grad=False))


def require_fit(wanted: Shapes, catalogue: Catalogue, known: Iterable[str] | None) -> None:
    """Raise `CheckpointError` unless the checkpoint has every wanted tensor in its shape."""
    found = catalogue.weights
    allowed = found.keys() if known is None else {*known, *wanted}
    lines = [
        *_listed("missing", (f"{n} {list(wanted[n])}" for n in wanted if n not in found)),
        *_listed("unexpected", (f"{n} {list(found[n].shape)}" for n in found if n not in allowed)),
        *_listed("wrong shape", _reshaped(wanted, found)),
        *_listed(
            "half a LoRA update", (n for n, halves in catalogue.updates.items() if len(halves) < 2)
        ),
    ]
    if lines:
        raise CheckpointError(
            "the checkpoint's tensors are not those its configuration describes:\n"
            + "\n".join(lines)
            + "\nFetch it again, or correct its config.json"
        )


def _reshaped(wanted: Shapes, found: Mapping[str, Stored]) -> Iterable[str]:
    for name, shape in wanted.items():
        if name in found and found[name].shape != shape:
            stored = found[name]
            where = f"{list(stored.shape)} in {stored.file.path.name}"
            yield f"{name}: expected {list(shape)}, found {where}"


def _listed(kind: str, entries: Iterable[str]) -> list[str]:
    lines = sorted(entries)
    more = [f"    and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return (
        [f"  {kind} ({len(lines)}):", *(f"    {line}" for line in lines[:SHOWN]), *more]
        if lines
        else []
    )
