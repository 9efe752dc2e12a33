"""Errors a search raises; the edges (HTTP, command line) translate them once.

RetrievalError
├── InvalidQuery      nothing to search for, or parts that contradict each other
└── UnknownPoint      a query names a stored point that is not there
"""


class RetrievalError(Exception):
    """Base of every error raised in `retrieval`; its text is fit for a person to read."""


class InvalidQuery(RetrievalError):
    """Nothing to search for, or parts that contradict each other."""


class UnknownPoint(RetrievalError):
    """A query names a stored point that is not there."""
