"""Evaluation: public protocols over local copies, and a user's own judgements."""

from retrieval.evaluate.embeddings import Embeddings, Follow, ReadFrames
from retrieval.evaluate.judged import RERANK, evaluate_judgements
from retrieval.evaluate.judgements import Judgement, read_judgements
from retrieval.evaluate.kept import Kept
from retrieval.evaluate.layouts.ade20k import read as read_ade20k
from retrieval.evaluate.regions import evaluate_segmentation
from retrieval.evaluate.report import as_json, markdown, save
from retrieval.evaluate.result import Result, Score
from retrieval.evaluate.suites import ADE20K, DATASETS, MSRVTT_FRAMES, SUITES, Copy, suite

__all__ = [
    "ADE20K",
    "DATASETS",
    "MSRVTT_FRAMES",
    "RERANK",
    "SUITES",
    "Copy",
    "Embeddings",
    "Follow",
    "Judgement",
    "Kept",
    "ReadFrames",
    "Result",
    "Score",
    "as_json",
    "evaluate_judgements",
    "evaluate_segmentation",
    "markdown",
    "read_ade20k",
    "read_judgements",
    "save",
    "suite",
]
