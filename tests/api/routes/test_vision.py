"""Segmentation over HTTP, with tiny weights."""

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.heads.segmentation import palette
from tests.api.conftest import fill
from tests.api.server import Served, serving
from tests.encoders.heads.test_segmentation import public_probe
from tests.encoders.internvl.tiny import TINY
from tests.media import encoded, plain


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("segmenter")
    data = tmp_path_factory.mktemp("data")
    checkpoint = public_probe(folder / "linear_frozen.safetensors")
    with serving(data, collection="colours", segmenter=checkpoint, device="cpu") as served:
        fill(served.installation, "colours", photos)
        yield served


def image_of(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_a_file_gets_a_class_map_and_areas(served: Served) -> None:
    files = {"image": encoded(Image.linear_gradient("L").resize((120, 90)))}
    answer = served.client.post("/v1/segment", files=files)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["width"], found["height"]) == (120, 90)
    shares = [area["share"] for area in found["areas"]]
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    classes = image_of(base64.b64decode(found["class_map"]))
    assert classes.mode == "P"
    assert {area["index"] for area in found["areas"]} == set(np.unique(np.asarray(classes)))
    first = found["areas"][0]
    assert first["colour"] == "#{:02x}{:02x}{:02x}".format(*palette(5)[first["index"]])


def test_pictures_alone(served: Served) -> None:
    files = {"image": encoded(plain("red").resize((64, 48)))}
    for which, mode in (("map", "P"), ("overlay", "RGB")):
        answer = served.client.post(f"/v1/segment?answer={which}", files=files)
        assert answer.headers["content-type"] == "image/png"
        picture = image_of(answer.content)
        assert (picture.mode, picture.size) == (mode, (64, 48))


def test_base64_and_stored_points(served: Served) -> None:
    points = served.client.get("/v1/collections/colours/points").json()["points"]
    red = next(p for p in points if p["payload"]["name"] == "red.jpg")
    film = next(p for p in points if p["payload"]["kind"] == "video")
    sent = base64.b64encode(encoded(plain("red"))).decode()
    asked = [{"image": sent}, *({"collection": "colours", "point": p["id"]} for p in (red, film))]
    for body in asked:
        answer = served.client.post("/v1/segment", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["areas"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({}, 422, "either an image, or a collection and a point"),
        ({"collection": "colours"}, 422, "either an image"),
        ({"image": "aGVsbG8="}, 422, "not an image"),
        ({"image": "%"}, 422, "base64"),
        ({"collection": "colours", "point": "0" * 32}, 404, "no point"),
        ({"collection": "nowhere", "point": "0" * 32}, 404, "nowhere"),
    ],
)
def test_bad_requests(served: Served, body: dict[str, str], status: int, said: str) -> None:
    answer = served.client.post("/v1/segment", json=body)
    assert answer.status_code == status, answer.text
    assert said in json.dumps(answer.json())


def test_bad_forms(served: Served) -> None:
    assert served.client.post("/v1/segment", files={"other": b"x"}).status_code == 422
    assert served.client.post("/v1/segment", content=b"x").status_code == 415


def test_a_panorama(served: Served) -> None:
    files = {"image": encoded(Image.new("RGB", (1700, 100)))}
    answer = served.client.post("/v1/segment", files=files)
    assert answer.status_code == 422
    assert "crop it first" in answer.json()["detail"]


def test_a_caption(tmp_path: Path) -> None:
    with serving(tmp_path, encoder=str(TINY), device="cpu") as tiny:
        files = {"image": encoded(plain("red"))}
        answer = tiny.client.post("/v1/caption", files=files)
        assert answer.status_code == 200, answer.text
        with Image.open(io.BytesIO(files["image"])) as image:
            expected = tiny.installation.encoder().caption([image])
    assert [answer.json()["caption"]] == expected


def test_without_a_captioner(library: Served) -> None:
    answer = library.client.post("/v1/caption", files={"image": encoded(plain("red"))})
    assert answer.status_code == 501
    assert "internvl-g" in answer.json()["detail"]


def test_without_a_segmenter(library: Served) -> None:
    answer = library.client.post("/v1/segment", files={"image": encoded(plain("red"))})
    assert answer.status_code == 501
    assert "POLYLENS_SEGMENTER" in answer.json()["detail"]


def test_a_checkpoint_of_something_else(tmp_path: Path) -> None:
    with serving(tmp_path, segmenter=tmp_path / "missing.pth") as served:
        answer = served.client.post("/v1/segment", files={"image": encoded(plain("red"))})
    assert answer.status_code == 503
    assert "hf download" in answer.json()["detail"]


def test_no_model_is_loaded_for_what_is_no_picture(tmp_path: Path) -> None:
    checkpoint = public_probe(tmp_path / "linear_frozen.safetensors")
    with serving(tmp_path / "data", segmenter=checkpoint, device="cpu") as served:
        answer = served.client.post("/v1/segment", files={"image": b"no picture"})
        assert answer.status_code in (415, 422)
        assert served.client.get("/readyz").json()["heads"] == []
        good = served.client.post("/v1/segment", files={"image": encoded(plain("red"))})
        assert good.status_code == 200
        assert served.client.get("/readyz").json()["heads"] == ["segmenter"]


def test_captions_come_from_the_encoder_of_the_collection(tmp_path: Path, photos: Path) -> None:
    """Also where the settings name none, and new collections would get another."""
    with serving(tmp_path, encoder=str(TINY), device="cpu", collection="tiny") as first:
        fill(first.installation, "tiny", photos)
    with serving(tmp_path, encoder=None, device="cpu", collection="tiny") as served:
        points = served.client.get("/v1/collections/tiny/points?kind=image").json()["points"]
        stored = {"collection": "tiny", "point": points[0]["id"]}
        for body in (stored, {"image": base64.b64encode(encoded(plain("red"))).decode()}):
            answer = served.client.post("/v1/caption", json=body)
            assert answer.status_code == 200, answer.text
            assert answer.json()["caption"]
