"""Zero-shot classifiers against the reference, and over encoders without a reference."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders import Encoder, LoadOptions, Vectors, unit
from encoders.fake import FakeEncoder
from encoders.internvl.load import load_internvl
from encoders.offline.encoder import OfflineEncoder
from retrieval import InvalidQuery
from retrieval.classify import LANGUAGES, ClassifierCache, ClassList, Prompts, zero_shot
from retrieval.classify.zeroshot import class_weights
from tests.encoders.internvl.tiny import DATA, FEATURES, LOGITS, TINY, load_facts, load_numbers
from tests.media import plain

COLOURS = ClassList.of(["red", "green", "blue"])


class Counting(FakeEncoder):
    """Remembers how many texts it was given."""

    def __init__(self, threshold: float | None = None) -> None:
        self.info = replace(FakeEncoder.info, match_threshold=threshold)
        self.texts = 0

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        self.texts += len(texts)
        return super().encode_texts(texts)


@pytest.fixture(scope="module")
def internvl() -> Encoder:
    return load_internvl(str(TINY), LoadOptions(device="cpu"))


def test_weights_and_logits_equal_the_reference(internvl: Encoder) -> None:
    facts, expected = load_facts("08_retrieval.json"), load_numbers("08")
    prompts, classes = Prompts.of(facts["templates"]), ClassList.of(facts["classnames"])
    weights = class_weights(internvl, classes.words, prompts)
    np.testing.assert_allclose(weights["c"], expected["zs_classifier"], atol=FEATURES)
    texts = internvl.encode_texts(prompts.of_class(classes.words[0]))["c"]
    np.testing.assert_allclose(texts, unit(expected["zs_class0_text_features"]), atol=FEATURES)
    pixels = []
    for path in sorted((DATA / "images").iterdir()):
        with Image.open(path) as image:
            pixels.append(internvl.preprocess(image, "class"))
    classifier = zero_shot(internvl, classes, prompts)
    assert (classifier.vector, classifier.use) == ("c", "class")
    rows = internvl.encode_pixels(pixels, normalize=False)["c"]
    np.testing.assert_allclose(classifier.logits(rows), expected["zs_logits"], atol=LOGITS)


def test_many_classes_give_what_few_give() -> None:
    """However the texts are cut into batches."""
    encoder = Counting()
    words = [f"thing {number}" for number in range(60)]
    prompts = Prompts.of(["a photo of a {c}.", *(f"{{c}} number {at}" for at in range(29))])
    assert len(words) * len(prompts.templates) > 2 * 512
    weights = class_weights(encoder, words, prompts)["default"]
    few = class_weights(encoder, words[::20], prompts)["default"]
    np.testing.assert_allclose(weights[:, ::20], few, atol=FEATURES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_tells_colours_apart(language: str) -> None:
    """The fake encoder knows English colours alone, whatever stands round them."""
    prompts = Prompts.in_language(language)
    classifier = zero_shot(FakeEncoder(), COLOURS, replace(prompts, templates=spaced(prompts)))
    rows = FakeEncoder().encode_images([plain(colour) for colour in COLOURS.labels])["default"]
    assert [found[0].label for found in classifier.guess(rows)] == [*COLOURS.labels]


def spaced(prompts: Prompts) -> tuple[str, ...]:
    """Templates in which the class stands by itself, as the fake encoder needs it."""
    return tuple(template.replace("{c}", " {c} ") for template in prompts.templates)


@pytest.mark.parametrize("threshold", [0.5, None])
def test_several_labels_may_hold_or_none(threshold: float | None) -> None:
    """Those above the threshold or, without one, above a text that names nothing."""
    classes = ClassList.of(["red", "red and blue", "green"])
    encoder, prompts = Counting(threshold), Prompts.of(["a {c} picture"])
    classifier = zero_shot(encoder, classes, prompts, exclusive=False)
    rows = encoder.encode_images([plain("red"), plain("lime"), plain("gray")])["default"]
    found = [{guess.label for guess in guesses} for guesses in classifier.guess(rows)]
    texts = [f"a {words} picture" for words in (*classes.words, "something")]
    cosines = rows @ encoder.encode_texts(texts)["default"].T
    bars = cosines[:, 3] if threshold is None else [threshold] * 3
    assert found == [
        {label for label, cosine in zip(classes.labels, row, strict=False) if cosine >= bar}
        for row, bar in zip(cosines, bars, strict=True)
    ]
    assert len({*map(frozenset, found)}) == 3


def test_the_offline_encoder_names_real_photos() -> None:
    from skimage import data

    encoder = OfflineEncoder(LoadOptions())
    names = ["cat", "rocket", "cup of coffee", "dog", "bicycle"]
    prompts = Prompts.suited(encoder.info, "en")
    assert prompts.templates == ("{c}",)  # it was not trained on sentences
    classifier = zero_shot(encoder, ClassList.of(names), prompts)
    photos = [data.chelsea(), data.rocket(), data.coffee()]
    rows = encoder.encode_images(photos)["default"]
    assert [found[0].label for found in classifier.guess(rows)] == names[:3]


def test_words_stand_in_the_prompts_and_labels_in_the_answer() -> None:
    classes = ClassList.of(["rosso\tred", "blu\tblue"])
    classifier = zero_shot(FakeEncoder(), classes, Prompts.of(["{c}"]))
    rows = FakeEncoder().encode_images([plain("blue")])["default"]
    assert classifier.guess(rows)[0][0].label == "blu"


def test_a_classifier_is_made_once(tmp_path: Path) -> None:
    encoder, cache = Counting(), ClassifierCache(tmp_path / "cache")
    prompts = Prompts.in_language("en")
    first = zero_shot(encoder, COLOURS, prompts, cache=cache)
    texts = encoder.texts
    assert texts == 3 * len(prompts.templates)
    again = zero_shot(encoder, COLOURS, prompts, cache=cache)
    assert encoder.texts == texts
    np.testing.assert_array_equal(again.weights, first.weights)
    assert (again.labels, again.made) == (list(first.labels), first.made)
    zero_shot(encoder, ClassList.of(["red", "cyan"]), prompts, cache=cache)
    zero_shot(encoder, COLOURS, Prompts.of(["{c}"]), cache=cache)
    zero_shot(encoder, COLOURS, prompts, exclusive=False, cache=cache)
    zero_shot(Counting(0.3), COLOURS, prompts, exclusive=False, cache=cache)
    assert len([*(tmp_path / "cache").iterdir()]) == 5  # nothing was taken for another


def test_a_damaged_or_read_only_cache_is_only_slower(tmp_path: Path) -> None:
    encoder, prompts = Counting(), Prompts.of(["{c}"])
    cache = ClassifierCache(tmp_path)
    made = zero_shot(encoder, COLOURS, prompts, cache=cache)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"damage")
    again = zero_shot(encoder, COLOURS, prompts, cache=cache)
    np.testing.assert_array_equal(again.weights, made.weights)
    assert encoder.texts == 6
    (tmp_path / "file").write_bytes(b"")
    nowhere = ClassifierCache(tmp_path / "file" / "cache")
    np.testing.assert_array_equal(
        zero_shot(encoder, COLOURS, prompts, cache=nowhere).weights, made.weights
    )


def test_the_cache_forgets_what_was_used_least(tmp_path: Path) -> None:
    cache, prompts = ClassifierCache(tmp_path, limit=3), Prompts.of(["{c}"])
    for number in range(6):
        zero_shot(FakeEncoder(), ClassList.of([f"class {number}"]), prompts, cache=cache)
    assert len([*tmp_path.iterdir()]) == 3


def test_a_vector_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidQuery, match="no vector 'c': it has default"):
        zero_shot(FakeEncoder(), COLOURS, Prompts.of(["{c}"]), vector="c")
