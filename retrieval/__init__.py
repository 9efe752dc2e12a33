"""Queries to ranked hits. Imports encoders and indexer."""

from retrieval.answer import Answer, Found, Moment, Span, Stage
from retrieval.calibration import Calibration, Calibrations, calibrate
from retrieval.errors import InvalidCursor, InvalidQuery, RetrievalError, UnknownPoint
from retrieval.query import Part, Query
from retrieval.search import Searcher

__all__ = [
    "Answer",
    "Calibration",
    "Calibrations",
    "Found",
    "InvalidCursor",
    "InvalidQuery",
    "Moment",
    "Part",
    "Query",
    "RetrievalError",
    "Searcher",
    "Span",
    "Stage",
    "UnknownPoint",
    "calibrate",
]
