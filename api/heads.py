"""Auxiliary models, loaded when first asked for; they make room for each other on the device."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from api.settings import Settings

if TYPE_CHECKING:
    from encoders.heads.chat.local import LocalChat
    from encoders.heads.segmentation import Segmenter

T = TypeVar("T")


class NotConfigured(Exception):
    """Something that the settings would have to name first; the message says how."""

    @classmethod
    def of(cls, what: str, setting: str, value: str) -> "NotConfigured":
        """`what` needs `setting` to be `value`."""
        return cls(
            f"{what} is not set up here: set POLYLENS_{setting.upper()} (or {setting} in "
            f"polylens.toml) to {value}; docs/heads.md tells which"
        )


class Heads:
    """The heads of one installation; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loading = threading.Lock()
        self._loaded: dict[str, Any] = {}

    @property
    def loaded(self) -> list[str]:
        """The names of those in memory."""
        return list(self._loaded)

    def chat(self) -> "LocalChat":
        """Raises `NotConfigured`, `CheckpointError`, `ModelUnavailable`."""
        return self._get("chat", self._load_chat)

    def segmenter(self) -> "Segmenter":
        """Raises as `chat` does."""
        return self._get("segmenter", self._load_segmenter)

    def _get(self, name: str, load: Callable[[], T]) -> T:
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = self._make_room(load)
            found: T = self._loaded[name]
            return found

    def _make_room(self, load: Callable[[], T]) -> T:
        """Where the device is full, the other heads leave it first; they come back when asked."""
        from encoders.internvl.memory import TooLittleMemory

        try:
            return load()
        except TooLittleMemory:
            if not self._loaded:
                raise
            self._loaded.clear()
            return load()

    def _load_chat(self) -> "LocalChat":
        from encoders.dual.files import find_checkpoint
        from encoders.heads.chat.local import LocalChat

        settings = self._settings
        if settings.chat is None:
            raise NotConfigured.of("chat", "chat", "a server's URL, or an InternVL chat checkpoint")
        folder = find_checkpoint(settings.chat)
        return LocalChat.load(folder, settings.device, settings.dtype)

    def _load_segmenter(self) -> "Segmenter":
        from encoders.heads.segmentation import SegmentationOptions, load_segmenter

        settings = self._settings
        if settings.segmenter is None:
            raise NotConfigured.of("segmentation", "segmenter", "a segmentation checkpoint's file")
        options = SegmentationOptions(
            backbone=settings.segmenter_backbone,
            device=settings.device,
            dtype=settings.dtype,
        )
        return load_segmenter(settings.segmenter, options)
