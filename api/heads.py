"""Auxiliary models, loaded on first use; idle ones are unloaded to make room for others."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from api.apart import collect
from api.settings import Settings
from encoders.errors import TooLittleMemory

if TYPE_CHECKING:
    import torch

    from encoders.heads.chat.local import LocalChat
    from encoders.heads.segmentation import Segmenter
    from encoders.internvl.memory import Room

T = TypeVar("T")
GB = 1e9


class NotConfigured(Exception):
    """Something that the settings would have to name first; the message says how."""

    @classmethod
    def of(cls, what: str, setting: str, value: str) -> "NotConfigured":
        """`what` needs `setting` to be `value`."""
        return cls(
            f"{what} is not set up here: set POLYLENS_{setting.upper()} (or {setting} in "
            f"polylens.toml) to {value}; docs/heads.md tells which"
        )


@dataclass
class _Held:
    """A head in memory; `size` in bytes of weights, `users` are at work with it."""

    head: Any
    size: int
    users: int = 0


class Heads:
    """The heads of one installation; safe to share between threads.

    Where not all fit, the one that was idle longest leaves first, and loads again when it is next
    asked for. One that is at work stays: who needs its room waits for it, up to `request_timeout`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loading = threading.Lock()
        self._changed = threading.Condition()  # guards what follows; never held for long
        self._held: dict[str, _Held] = {}  # the one asked for last is last
        self._unloaded: Counter[str] = Counter()

    @property
    def loaded(self) -> dict[str, int]:
        """Those in memory: name -> bytes of weights."""
        return {name: held.size for name, held in list(self._held.items())}

    @property
    def unloaded(self) -> dict[str, int]:
        """How often each had to leave."""
        return dict(self._unloaded)

    @contextmanager
    def chat(self) -> "Iterator[LocalChat]":
        """The chat model, there while the context lasts.

        Raises `NotConfigured`, `CheckpointError`, `ModelUnavailable`, and `TooLittleMemory` also
        for what runs out of memory inside.
        """
        with self._using("chat", self._load_chat) as head:
            yield head

    @contextmanager
    def segmenter(self) -> "Iterator[Segmenter]":
        """As `chat` does."""
        with self._using("segmenter", self._load_segmenter) as head:
            yield head

    @contextmanager
    def _using(self, name: str, load: "Callable[[Room], T]") -> Iterator[T]:
        held = self._take(name, load)
        try:
            with _memory_errors(name):
                yield held.head
        finally:
            with self._changed:
                held.users -= 1
                self._changed.notify_all()

    def _take(self, name: str, load: "Callable[[Room], T]") -> _Held:
        with self._loading:
            held = self._held.get(name) or self._load(load)
            with self._changed:
                self._held.pop(name, None)
                self._held[name] = held
                held.users += 1
            return held

    def _load(self, load: "Callable[[Room], T]") -> _Held:
        sizes: list[int] = []

        def room(needed: int, device: "torch.device") -> None:
            self._make_room(needed, device)
            sizes.append(needed)

        return _Held(load(room), sum(sizes))

    def _make_room(self, needed: int, device: "torch.device") -> None:
        """Unload idle heads, and wait for busy ones, until `needed` bytes fit."""
        patience = time.monotonic() + self._settings.request_timeout
        while lack := self._lack(needed, device):
            if not self._held or needed > self._budget:
                raise TooLittleMemory(lack)
            with self._changed:
                idle = [name for name, held in self._held.items() if not held.users]
                if not idle and not self._changed.wait(patience - time.monotonic()):
                    raise TooLittleMemory(f"{lack}; the models loaded there are busy")
            if idle:
                self._unload(idle[0])

    def _lack(self, needed: int, device: "torch.device") -> str:
        """Why `needed` bytes do not fit, empty where they do."""
        from encoders.internvl.memory import free_bytes

        if sum(self.loaded.values()) + needed > self._budget:
            left = f"heads_memory allows {self._budget / GB:.3f} GB"
        elif (free := free_bytes(device)) is not None and needed > free:
            left = f"{free / GB:.3f} GB are free there"
        else:
            return ""
        return (
            f"a model needs {needed / GB:.3f} GB on {device}, and {left}: use a smaller "
            "checkpoint, a half-precision dtype or another device, or serve chat by the proxy "
            "engine"
        )

    @property
    def _budget(self) -> float:
        """In bytes."""
        allowed = self._settings.heads_memory
        return float("inf") if allowed is None else allowed * GB

    def _unload(self, name: str) -> None:
        with self._changed:
            del self._held[name]
            self._unloaded[name] += 1
        _collect()

    def _load_chat(self, room: "Room") -> "LocalChat":
        from encoders.dual.files import find_checkpoint
        from encoders.heads.chat.local import LocalChat

        settings = self._settings
        if settings.chat is None:
            raise NotConfigured.of("chat", "chat", "a server's URL, or an InternVL chat checkpoint")
        folder = find_checkpoint(settings.chat)
        return LocalChat.load(folder, settings.device, settings.dtype, room)

    def _load_segmenter(self, room: "Room") -> "Segmenter":
        from encoders.heads.segmentation import SegmentationOptions, load_segmenter

        settings = self._settings
        if settings.segmenter is None:
            raise NotConfigured.of("segmentation", "segmenter", "a segmentation checkpoint's file")
        options = SegmentationOptions(
            backbone=settings.segmenter_backbone,
            device=settings.device,
            dtype=settings.dtype,
        )
        return load_segmenter(settings.segmenter, options, room)


@contextmanager
def _memory_errors(name: str) -> Iterator[None]:
    """Running out of memory, in words."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise TooLittleMemory(
            f"the device has too little memory left for this {name} request: send fewer or smaller "
            "pictures, or a shorter conversation"
        ) from error


def _collect() -> None:
    """Give the memory of what was let go of back to the device."""
    import torch

    collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
