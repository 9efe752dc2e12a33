"""How a local collection is indexed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

IndexKind = Literal["rabitq", "ivf-rabitq", "ivf-sq8", "sq8", "hnsw-sq8"]
"""Of a sealed segment: one list of 2-bit RaBitQ codes; lists of them, or of bytes; one list of
bytes; a graph over bytes."""
Choice = Literal["auto", "exact"] | IndexKind

_BYTES_UP_TO = 256
"""Dimensions. Looking at a code of bits costs some 10 ns, whatever its length: up to a hundred and
more dimensions an exact scan is faster, and bytes are faster than either."""


@dataclass(frozen=True)
class IndexOptions:
    """What is sealed, when, and how well it must find.

    `kind`: `auto` goes by size, `exact` seals nothing. `vectors` are the names that get an index,
    by default the first of `default`, `c`, and those there are. Above `tail_rows` vectors without
    an index they are sealed; above `ivf_rows` in one segment `auto` divides them into lists, of
    bytes where these take at most a quarter of the machine's memory. Else it takes codes of 2 bits,
    or bytes where those do not reach `recall` or have no use: up to 256 dimensions.
    Filters that leave at most `gather_rows`, or a hundredth, are answered from those rows alone.
    `recall` (0 to 1) is aimed at where a query asks for nothing else. `patience` is how many
    seconds a writer waits for sealing that falls far behind; `threads` build, 0 for one per core.
    """

    kind: Choice = "auto"
    vectors: tuple[str, ...] = ()
    tail_rows: int = 30_000
    ivf_rows: int = 300_000
    gather_rows: int = 5_000
    recall: float = 0.98
    patience: float = 120.0
    threads: int = 0

    def __post_init__(self) -> None:
        """Raises `ValueError`."""
        if self.kind not in {*get_args(IndexKind), "auto", "exact"}:
            raise ValueError(f"there is no index kind {self.kind!r}")
        if not 0 < self.recall <= 1 or self.tail_rows < 0:
            raise ValueError("recall must be in (0, 1], and tail_rows not negative")

    def names(self, known: Iterable[str]) -> list[str]:
        """The vector names, of those known, that get an index."""
        known = list(known)
        if self.kind == "exact":
            return []
        if self.vectors:
            return [name for name in known if name in self.vectors]
        return [next((name for name in ("default", "c") if name in known), known[0])]

    def kinds_of(self, rows: int, dim: int, memory: int) -> Sequence[IndexKind]:
        """What a segment of so many rows may be, the best first; not for `exact`."""
        if self.kind != "auto" and self.kind != "exact":
            return (self.kind,)
        if rows > self.ivf_rows:
            fits = dim <= _BYTES_UP_TO or rows * (dim + 8) < memory / 4
            return ("ivf-sq8",) if fits else ("ivf-rabitq", "ivf-sq8")
        return ("sq8",) if dim <= _BYTES_UP_TO else ("rabitq", "sq8")
