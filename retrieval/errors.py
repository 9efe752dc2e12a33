"""Errors a search raises; the edges (HTTP, command line) translate them once.

RetrievalError
├── InvalidQuery      nothing to search for, or parts that contradict each other
│   └── InvalidCursor a cursor that is damaged, or of another collection or query
├── UnknownPoint      a query names a stored point that is not there
├── InvalidClasses    classes, prompt templates or labelled examples that cannot be used
├── InvalidClassifier a file that holds no classifier, or a name that none can have
├── InvalidDataset    a data set to evaluate on, or judgements, that are not as they should be
├── ClassifierMismatch  a classifier meets vectors that it was not made for
└── UnknownProbe      no probe of that name was trained or imported
"""


class RetrievalError(Exception):
    """Base of every error raised in `retrieval`; its text is written for people."""


class InvalidQuery(RetrievalError):
    """Nothing to search for, or parts that contradict each other."""


class InvalidCursor(InvalidQuery):
    """A cursor that is damaged, or belongs to another collection or query."""


class UnknownPoint(RetrievalError):
    """A query names a stored point that is not there."""


class InvalidClasses(RetrievalError):
    """Classes, prompt templates or labelled examples that cannot be used as they are."""


class InvalidClassifier(RetrievalError):
    """A file that holds no classifier, or a name that none can have."""


class ClassifierMismatch(RetrievalError):
    """A classifier meets vectors that it was not made for."""


class UnknownProbe(RetrievalError):
    """No probe of that name was trained or imported."""


class InvalidDataset(RetrievalError):
    """A data set to evaluate on, or judgements, that are not as they should be."""
