"""Measuring retrieval: the public protocols over local copies, and a user's own judgements."""

from retrieval.evaluate.embeddings import Embeddings, ReadFrames
from retrieval.evaluate.judged import evaluate_judgements
from retrieval.evaluate.judgements import Judgement, read_judgements
from retrieval.evaluate.report import as_json, markdown, save
from retrieval.evaluate.result import Result, Score
from retrieval.evaluate.suites import MSRVTT_FRAMES, SUITES, Copy, suite

__all__ = [
    "MSRVTT_FRAMES",
    "SUITES",
    "Copy",
    "Embeddings",
    "Judgement",
    "ReadFrames",
    "Result",
    "Score",
    "as_json",
    "evaluate_judgements",
    "markdown",
    "read_judgements",
    "save",
    "suite",
]
