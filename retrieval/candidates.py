"""What is on its way to become a hit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from indexer import Hit
from retrieval.cursor import mark


@dataclass(frozen=True)
class Candidate:
    """A point found; `scores` maps each stage that judged it to what it gave, in order."""

    hit: Hit
    scores: dict[str, float]


@dataclass
class Group:
    """The points of one asset that were found (or, ungrouped, one point), best first.

    `scores` are those of its best point, and what the group as a whole was given since;
    `duplicates` are groups that it stands for.
    """

    name: str
    members: list[Candidate]
    scores: dict[str, float] = field(default_factory=dict)
    duplicates: list["Group"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scores = {**self.members[0].scores, **self.scores}

    @property
    def best(self) -> Hit:
        return self.members[0].hit

    @cached_property
    def mark(self) -> bytes:
        """What stands for it in a cursor."""
        return mark(self.name)

    @property
    def marks(self) -> list[bytes]:
        """Its mark and those of its duplicates."""
        return [self.mark, *(group.mark for group in self.duplicates)]


def group_name(hit: Hit, *, by_asset: bool) -> str:
    """What hits of one group have in common."""
    return hit.asset if by_asset else str(hit.id)


def grouped(candidates: Iterable[Candidate], *, by_asset: bool) -> list[Group]:
    """Groups in the order of their best, their members in the order given."""
    found: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        found.setdefault(group_name(candidate.hit, by_asset=by_asset), []).append(candidate)
    return [Group(name, members) for name, members in found.items()]


def points(groups: Sequence[Group]) -> list[Candidate]:
    """All points of all groups."""
    return [member for group in groups for member in group.members]
