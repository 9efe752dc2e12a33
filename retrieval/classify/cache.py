"""A cache of zero-shot classifiers, since their texts take time to encode."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from retrieval.classify.classifier import Classifier
from retrieval.errors import InvalidClassifier


@dataclass(frozen=True)
class ClassifierCache:
    """A folder of files that may be deleted at any time; the least recently used of many go.

    A cache that cannot be read or written is only slower.
    """

    folder: Path
    limit: int = 64

    def get(self, key: str, make: Callable[[], Classifier]) -> Classifier:
        """What is kept under `key`, else what `make` gives, which is kept from then on."""
        path = self.folder / f"{key}.safetensors"
        with contextlib.suppress(InvalidClassifier, OSError):
            known = Classifier.load(path)
            path.touch()
            return known
        made = make()
        with contextlib.suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            made.save(path)
            self._forget()
        return made

    def _forget(self) -> None:
        files = sorted(self.folder.glob("*.safetensors"), key=lambda file: file.stat().st_mtime_ns)
        for file in files[: -self.limit]:
            file.unlink(missing_ok=True)
