"""Decide the stages of a query from its options and the stored vectors."""

from dataclasses import dataclass

from encoders import EncoderInfo
from indexer import Schema
from retrieval.errors import InvalidQuery
from retrieval.query import Query

FIRST, SECOND = "c", "g"
"""InternVL's contrastive vector finds, its generative one orders what was found."""

CANDIDATES = 100


@dataclass(frozen=True)
class Plan:
    """`retrieve` and `rescore` are vector names; `size` is how many groups make a window.

    `words` tells whether texts are searched, too; where some are found, `fused` groups make a
    window.
    """

    retrieve: str
    rescore: str | None
    words: bool
    size: int
    fused: int
    why: str

    @property
    def vectors(self) -> list[str]:
        return [self.retrieve, *([self.rescore] if self.rescore else [])]

    @property
    def last(self) -> str:
        """The vector whose cosine is a hit's score."""
        return self.vectors[-1]


def make_plan(query: Query, schema: Schema, info: EncoderInfo) -> Plan:
    """Raises `InvalidQuery` for what the collection or the encoder does not have."""
    if query.vector is not None and query.vector not in schema.vectors:
        known = ", ".join(schema.vectors)
        raise InvalidQuery(f"the collection has no vector {query.vector!r}: it has {known}")
    if query.rerank and "match" not in info.abilities:
        raise InvalidQuery(
            f"rerank: the encoder {info.name!r} cannot match a picture with a text; that needs "
            "internvl-g with both towers. Leave rerank out, or use such a collection"
        )
    first, second, why = _vectors(query, schema, info)
    reorders = second or query.rerank or query.collapse or query.diversity
    wide = max(query.limit, query.rerank, query.candidates or CANDIDATES)
    words = query.words and query.only_text and query.vector is None
    return Plan(first, second, words, wide if reorders else query.limit, wide, why)


def _vectors(query: Query, schema: Schema, info: EncoderInfo) -> tuple[str, str | None, str]:
    if query.vector is not None:
        return query.vector, None, f"{query.vector} was asked for"
    default = next(iter(schema.vectors))
    if any(part.vector is not None for part in query.parts):
        return default, None, f"a vector was given: {default} alone"
    if {FIRST, SECOND} <= schema.vectors.keys() & info.vectors.keys():
        return FIRST, SECOND, f"{FIRST} and {SECOND} are stored: {FIRST} finds, {SECOND} orders"
    return default, None, f"{default} is what the collection stores"
