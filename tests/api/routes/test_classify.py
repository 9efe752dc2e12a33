"""Classification over HTTP."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from api.installation import Installation
from encoders.fake import COLOURS, FakeEncoder
from retrieval.classify import Classifier
from tests.api.server import Served
from tests.media import encoded, plain

LABELS = {"labels": [*COLOURS]}


def sent(colour: str) -> dict[str, Any]:
    return {"image": base64.b64encode(encoded(plain(colour), "PNG")).decode()}


def best(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json()["labels"][0]["label"])


def test_a_picture_in_json_or_as_a_file(client: httpx.Client) -> None:
    answer = client.post("/v1/classify", json=sent("blue") | LABELS)
    assert best(answer) == "blue"
    found = answer.json()
    assert found["exclusive"] is True
    assert found["made"] == "zero-shot, 80 prompts a class"
    assert len(found["labels"]) == 5
    chances = [label["probability"] for label in found["labels"]]
    assert chances == sorted(chances, reverse=True)
    files = {"image": encoded(plain("blue"), "PNG")}
    query = {"query": json.dumps(LABELS | {"top": 1})}
    answer = client.post("/v1/classify", files=files, data=query)
    assert [label["label"] for label in answer.json()["labels"]] == ["blue"]


def test_a_stored_image_and_a_stored_video(client: httpx.Client) -> None:
    points = client.get("/v1/collections/colours/points").json()["points"]
    red = next(p for p in points if p["payload"]["name"] == "red.jpg")
    segments = [p for p in points if p["payload"]["kind"] == "segment"]
    stored = {"collection": "colours"} | LABELS
    assert best(client.post("/v1/classify", json=stored | {"point": red["id"]})) == "red"
    found = {best(client.post("/v1/classify", json=stored | {"point": p["id"]})) for p in segments}
    assert found == {"red", "green", "blue"}


def test_several_labels_or_none(client: httpx.Client) -> None:
    several = {"labels": ["red", "red and yellow", "blue"], "multi": True}
    answer = client.post("/v1/classify", json=sent("red") | several).json()
    assert not answer["exclusive"]
    assert [label["label"] for label in answer["labels"]] == ["red", "red and yellow"]
    none = client.post("/v1/classify", json=sent("gray") | several).json()
    assert none["labels"] == []
    everything = client.post("/v1/classify", json=sent("gray") | several | {"at_least": 0}).json()
    assert len(everything["labels"]) == 3


def test_words_for_prompts_and_prompts(client: httpx.Client) -> None:
    asked = {"labels": ["rosso\tred", "blu\tblue"], "templates": ["{c}"]}
    assert best(client.post("/v1/classify", json=sent("blue") | asked)) == "blu"


@pytest.fixture
def probe(library: Served) -> Iterator[str]:
    """A probe that tells warm from cold by the mean of red and blue."""
    installation: Installation = library.installation
    rows = FakeEncoder().encode_images([plain("red"), plain("blue")])["default"]
    classifier = Classifier(
        labels=["warm", "cold"],
        weights=10 * rows.T,
        bias=np.zeros(2, np.float32),
        vector="default",
        use="search",
        fingerprint=FakeEncoder.info.fingerprint,
        made="by hand",
    )
    path = installation.probes.save("mood", classifier)
    yield "mood"
    path.unlink()


def test_a_probe_by_name(client: httpx.Client, probe: str) -> None:
    answer = client.post("/v1/classify", json=sent("orange") | {"probe": probe})
    assert best(answer) == "warm"
    assert answer.json()["made"] == "by hand"


@pytest.mark.parametrize(
    ("body", "status", "name", "problem"),
    [
        ({"labels": ["a", "A"]}, 422, "invalid-classes", "entry 2: 'A' is there already, at 1"),
        ({"labels": []}, 422, "invalid-request", "either labels or a probe"),
        ({"labels": ["a"], "probe": "b"}, 422, "invalid-request", "either labels or a probe"),
        ({"labels": ["a"], "language": "ko"}, 422, "invalid-classes", "no prompt templates in"),
        ({"labels": ["a"], "templates": ["b"]}, 422, "invalid-classes", "has no {c}"),
        ({"labels": [""]}, 422, "invalid-classes", "has no name"),
        ({"labels": ["a"], "top": 0}, 422, "invalid-request", "top"),
        ({"labels": ["a"], "at_least": 2}, 422, "invalid-request", "at_least"),
        ({"labels": ["a"], "tags": 1}, 422, "invalid-request", "tags"),
        ({"probe": "none"}, 404, "unknown-probe", "there is no probe 'none'"),
        ({"probe": "../keys"}, 422, "invalid-classifier", "cannot be the name"),
    ],
)
def test_what_is_wrong_is_said(
    client: httpx.Client, body: dict[str, Any], status: int, name: str, problem: str
) -> None:
    answer = client.post("/v1/classify", json=sent("red") | body)
    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == f"urn:polylens:{name}"
    assert problem in answer.json()["detail"]


def test_bodies_that_are_not_understood(client: httpx.Client) -> None:
    files = {"image": encoded(plain("red"))}
    for query in ("{", "[1]", '{"labels": 1}', '{"labels": ["a"], "image": "x"}'):
        answer = client.post("/v1/classify", files=files, data={"query": query})
        assert (answer.status_code == 200) == ("image" in query), answer.text
    assert client.post("/v1/classify", files=files).status_code == 422
    assert client.post("/v1/classify", data={"query": "{}"}, files={"x": b""}).status_code == 422
    broken = client.post("/v1/classify", files={"image": b"no"}, data={"query": json.dumps(LABELS)})
    assert broken.status_code in (415, 422)


def test_a_point_that_is_not_there(client: httpx.Client) -> None:
    missing = {"collection": "colours", "point": "00000000-0000-4000-8000-000000000000"}
    answer = client.post("/v1/classify", json=missing | LABELS)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:polylens:unknown-point")
    nowhere = missing | {"collection": "none"} | LABELS
    assert client.post("/v1/classify", json=nowhere).status_code == 404


def test_the_classifier_is_kept(library: Served, client: httpx.Client) -> None:
    kept: Path = library.installation.classifiers.folder
    asked = sent("red") | {"labels": ["red", "kept colour"]}
    client.post("/v1/classify", json=asked)
    before = {path.name for path in kept.iterdir()}
    client.post("/v1/classify", json=asked)
    assert {path.name for path in kept.iterdir()} == before
