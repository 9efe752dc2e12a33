"""Classification of one picture or stored point; blocking."""

import numpy as np
from numpy.typing import NDArray

from api.schemas.vision import ClassifyAnswer, ClassifyRequest, LabelOut
from api.service import Service
from api.vision import SIDE
from encoders import Encoder
from ingestion import load_image
from retrieval import UnknownPoint
from retrieval.classify import Classifier, ClassList, Prompts, zero_shot
from retrieval.classify.tagging import require_stored

Row = NDArray[np.float32]


def classify(service: Service, asked: ClassifyRequest) -> ClassifyAnswer:
    """Raises what the classifier, the encoder and the collection do, `Refusal`, `MediaError`."""
    classifier, row = (
        _on_stored(service, asked) if asked.image is None else _on_sent(service, asked)
    )
    (guesses,) = classifier.guess(row[None], top=asked.top, at_least=asked.at_least)
    labels = [LabelOut(label=guess.label, probability=guess.probability) for guess in guesses]
    return ClassifyAnswer(labels=labels, exclusive=classifier.exclusive, made=classifier.made)


def _on_sent(service: Service, asked: ClassifyRequest) -> tuple[Classifier, Row]:
    assert asked.image is not None  # noqa: S101
    installation = service.installation
    encoder = installation.encoder(installation.collection())
    classifier = _classifier(service, asked, encoder)
    info = encoder.info
    classifier.require_fits(info.vectors, info.fingerprint, f"encoder {info.name}")
    pixels = encoder.preprocess(load_image(asked.image, service.limits, SIDE), classifier.use)
    return classifier, encoder.encode_pixels([pixels], normalize=False)[classifier.vector][0]


def _on_stored(service: Service, asked: ClassifyRequest) -> tuple[Classifier, Row]:
    """By the vector that is stored: so also a video, or a segment of one."""
    assert asked.collection is not None  # noqa: S101 - the model saw to it
    assert asked.point is not None  # noqa: S101
    collection = service.open(asked.collection)
    classifier = _classifier(service, asked, service.installation.encoder(collection))
    require_stored(collection, classifier)
    name = classifier.vector
    records = collection.get([asked.point], with_vectors=[name])
    if not records or name not in records[0].vectors:
        raise UnknownPoint(f"the collection has no point {asked.point} with a vector {name!r}")
    return classifier, records[0].vectors[name]


def _classifier(service: Service, asked: ClassifyRequest, encoder: Encoder) -> Classifier:
    if asked.probe is not None:
        return service.installation.probes.load(asked.probe)
    classes = ClassList.of(asked.labels)
    prompts = (
        Prompts.of(asked.templates)
        if asked.templates
        else Prompts.suited(encoder.info, asked.language)
    )
    cache = service.installation.classifiers
    return zero_shot(encoder, classes, prompts, exclusive=not asked.multi, cache=cache)
