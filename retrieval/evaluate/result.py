"""The results of an evaluation, beside those published for the same protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Score:
    """A measure in percent; `published` is None where nothing was published for it.

    `change` is what it gained, in points, over the same measure one stage before; None for those
    that are not of stages, and for the first.
    """

    name: str
    value: float
    published: float | None = None
    change: float | None = None

    @property
    def difference(self) -> float | None:
        """Ours minus theirs, in points."""
        return None if self.published is None else self.value - self.published


@dataclass(frozen=True)
class Result:
    """One data set in one language, with one vector; "-" and "" where there is no such thing.

    `protocol` says in a sentence what was done; `counts` is what was scored, `gaps` what could not
    be, a sentence for each kind. `reference` names the model of the published numbers.
    """

    dataset: str
    language: str
    encoder: str
    vector: str
    protocol: str
    counts: Mapping[str, int]
    scores: Sequence[Score]
    gaps: Sequence[str] = ()
    reference: str | None = None
    fingerprint: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether all of the data set was scored."""
        return not self.gaps
