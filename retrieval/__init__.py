"""Queries to ranked hits. Imports encoders and indexer."""

from retrieval.answer import Answer, Found, Moment
from retrieval.errors import InvalidQuery, RetrievalError, UnknownPoint
from retrieval.query import Part, Query
from retrieval.search import Searcher

__all__ = [
    "Answer",
    "Found",
    "InvalidQuery",
    "Moment",
    "Part",
    "Query",
    "RetrievalError",
    "Searcher",
    "UnknownPoint",
]
