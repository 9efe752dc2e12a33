"""Labels for images and videos: zero-shot by texts, or by a probe trained on examples."""

from retrieval.classify.cache import ClassifierCache
from retrieval.classify.classes import ClassList
from retrieval.classify.classifier import Classifier, Guess
from retrieval.classify.probes import Probes
from retrieval.classify.prompts import LANGUAGES, Prompts
from retrieval.classify.tagging import classify_points, tag_points
from retrieval.classify.training import Examples, Trained, train
from retrieval.classify.zeroshot import zero_shot

__all__ = [
    "LANGUAGES",
    "ClassList",
    "Classifier",
    "ClassifierCache",
    "Examples",
    "Guess",
    "Probes",
    "Prompts",
    "Trained",
    "classify_points",
    "tag_points",
    "train",
    "zero_shot",
]
