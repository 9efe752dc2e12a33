"""Weights from files into a model built on the meta device, tensor by tensor, strictly.

No more than one tensor is held beside what is already in place, so that the peak is the size of
what is loaded. Nothing is returned half loaded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn

from encoders.errors import CheckpointError
from encoders.internvl.files import TensorFile
from encoders.internvl.layouts import LORA_ALPHA, lora_name, our_name
from encoders.internvl.memory import Room, require_memory

SHOWN = 8  # names listed of each kind of difference

M = TypeVar("M", bound=nn.Module)
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


@dataclass(frozen=True)
class Site:
    """Where one copy of a model lies: on one device, or its image tower apart from the rest."""

    vision: torch.device
    language: torch.device

    def of(self, name: str) -> torch.device:
        """The device of the weight or module of that name."""
        sees = name.startswith(("vision_model.", "clip_projector."))
        return self.vision if sees else self.language

    def settle(self, model: M) -> M:
        """Move what is no weight, such as tables of rotary positions, and end training mode."""
        for name, part in model.named_children():
            part.to(self.of(f"{name}."))
        return model.eval()


def shapes_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every weight of a model."""
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def load_weights(
    model: nn.Module,
    catalogue: Catalogue,
    site: Site,
    dtype: torch.dtype,
    known: Iterable[str] | None,
    room: Room = require_memory,
) -> None:
    """Give a meta-device `model` its weights at `site` in `dtype`, frozen and ready to run.

    `known` are the names that a checkpoint may have beyond the model's own; None allows any.
    Raises `CheckpointError` with a report of every difference, or where memory lacks.
    """
    wanted = shapes_of(model)
    require_fit(wanted, catalogue, known)
    require_room(model.state_dict(), site, dtype, room)
    for name in wanted:
        set_weight(model, name, catalogue.read(name).to(site.of(name), dtype))
    site.settle(model)


def require_room(
    tensors: Mapping[str, Tensor], site: Site, dtype: torch.dtype, room: Room = require_memory
) -> None:
    """Raise `TooLittleMemory` where the tensors in `dtype` do not fit the site's devices."""
    needed: dict[torch.device, int] = {}
    for name, tensor in tensors.items():
        device = site.of(name)
        needed[device] = needed.get(device, 0) + tensor.numel() * dtype.itemsize
    for device, size in needed.items():
        room(size, device)


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
