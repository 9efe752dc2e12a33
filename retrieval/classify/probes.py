"""Trained and imported classifiers, stored by name."""

import re
from dataclasses import dataclass
from pathlib import Path

from retrieval.classify.classifier import Classifier
from retrieval.errors import InvalidClassifier, UnknownProbe

NAME = re.compile(r"[\w][\w.-]{0,99}")
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Probes:
    """A folder with a file for each."""

    folder: Path

    def names(self) -> list[str]:
        """In order."""
        return sorted(path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"[!.]*{SUFFIX}"))

    def save(self, name: str, probe: Classifier) -> Path:
        """Keep a probe, instead of the one of that name if there is one.

        Returns its file. Raises `InvalidClassifier` for a name that no file should have.
        """
        path = self._path(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        probe.save(path)
        return path

    def load(self, name: str) -> Classifier:
        """Raises `UnknownProbe` naming those there are, or `InvalidClassifier`."""
        path = self._path(name)
        if not path.is_file():
            known = ", ".join(self.names()) or "none: train one with `polylens probe train`"
            raise UnknownProbe(f"there is no probe {name!r}; there is {known}")
        return Classifier.load(path)

    def require_name(self, name: str) -> None:
        """Raise `InvalidClassifier` for a name that no file should have."""
        if not NAME.fullmatch(name):
            raise InvalidClassifier(
                f"{name!r} cannot be the name of a probe: letters, digits, '_', '-' and '.' can"
            )

    def _path(self, name: str) -> Path:
        self.require_name(name)
        return self.folder / f"{name}{SUFFIX}"
