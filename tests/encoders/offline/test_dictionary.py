"""Words of the dictionary in each of its languages, as they stand in sentences."""

import numpy as np
import pytest

from encoders import unit
from encoders.offline.data import OfflineData, load_data
from encoders.offline.text import SentenceModel, open_model

THINGS = ["umbrella", "lion", "chainsaw", "pumpkin", "lipstick", "violin", "tent", "owl", "shoe"]
SPOKEN = {
    "zh": {"两只狮子": "lion", "一把电锯": "chainsaw", "口红和": "lipstick"},
    "ja": {"ライオンたちが": "lion", "チェーンソーで": "chainsaw", "傘を": "umbrella"},
    "ko": {"사자들이": "lion", "전기톱으로": "chainsaw", "우산을": "umbrella"},
    "ar": {"والأسد": "lion", "بالمنشار الكهربائي": "chainsaw", "لليقطين": "pumpkin"},
    "ru": {"со львами": "lion", "бензопилой": "chainsaw", "зонтом": "umbrella"},
    "es": {"los leones": "lion", "unas motosierras": "chainsaw", "las calabazas": "pumpkin"},
    "fr": {"aux lions": "lion", "des tronçonneuses": "chainsaw", "d'un violon": "violin"},
    "de": {"den Löwen": "lion", "der Kettensägen": "chainsaw", "Kürbisse": "pumpkin"},
    "it": {"dei leoni": "lion", "le motoseghe": "chainsaw", "delle zucche": "pumpkin"},
    "pt": {"dos leões": "lion", "as motosserras": "chainsaw", "nas abóboras": "pumpkin"},
    "hi": {"शेरों को": "lion", "तंबुओं में": "tent", "कद्दुओं का": "pumpkin"},
    "tr": {"aslanların": "lion", "çadırlarda": "tent", "şemsiyesiyle": "umbrella"},
}


@pytest.fixture(scope="module")
def data() -> OfflineData:
    return load_data()


@pytest.fixture(scope="module")
def model() -> SentenceModel:
    return open_model()


@pytest.mark.parametrize("language", SPOKEN)
def test_inflected_words_mean_their_english_names(
    language: str, data: OfflineData, model: SentenceModel
) -> None:
    english = data.whiten(model.query(THINGS))
    spoken = data.lexicon.pull(
        data.whiten(model.query([text.lower() for text in SPOKEN[language]]))
    )
    nearest = [THINGS[at] for at in np.argmax(spoken @ english.T, axis=1)]
    assert dict(zip(SPOKEN[language], nearest, strict=True)) == SPOKEN[language]


def test_the_dictionary_adds_what_the_sentence_model_lacks(
    data: OfflineData, model: SentenceModel
) -> None:
    texts = [text.lower() for words in SPOKEN.values() for text in words]
    things = [thing for words in SPOKEN.values() for thing in words.values()]
    wanted = data.whiten(model.query(things))
    plain = data.whiten(model.query(texts))
    before, after = (unit(rows) * wanted for rows in (plain, data.lexicon.pull(plain)))
    assert (after.sum(axis=1) > before.sum(axis=1)).mean() > 0.9
