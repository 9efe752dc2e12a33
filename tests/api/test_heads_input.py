"""What chat, segmentation and captions refuse, and in whose words."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.api.chat.test_proxy import HELLO, data_uri, picture
from tests.api.server import Served, serving
from tests.encoders.heads.chats import DATA, bytes_checkpoint
from tests.encoders.heads.test_segmentation import saved, weights
from tests.encoders.internvl.tiny import TINY
from tests.media import encoded, plain

PIXELS = 64 * 48  # of the pictures of `data_uri`
IMAGE = picture(data_uri("red"))[0]["content"][0]  # type: ignore[index]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """All heads with tiny weights, and limits just below a small picture."""
    folder = tmp_path_factory.mktemp("strict")
    settings: dict[str, Any] = {
        "chat": str(bytes_checkpoint(folder / "InternVL2-1B-tiny")),
        "segmenter": weights("linear"),
        "encoder": str(TINY),
        "max_image_pixels": PIXELS - 1,
        "max_upload_bytes": 100_000,
        "max_body_bytes": 1_000_000,
    }
    with serving(folder / "data", device="cpu", **settings) as served:
        yield served


def said(content: object) -> list[dict[str, object]]:
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        (said([IMAGE] * 500), "500 pictures"),
        (said([IMAGE] * 33), "33 pictures"),
        (said([{"type": "image_url"}]), "0.image_url.image_url: Field required"),
        (said([{"type": "image_url", "image_url": {"url": ""}}]), "pictures are taken as data:"),
        (said([{"type": "input_audio"}]), "'text', 'image_url', 'video_url'"),
        (said([IMAGE]), "above the limit"),
        (said("word " * 10_000), "50,184 tokens"),
        (said("x" * 200_001), "at most 200000 characters"),
        ([*HELLO] * 257, "at most 256 items"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_chats_that_are_too_much(
    strict: Served, messages: list[object], told: str, stream: bool
) -> None:
    body = {"messages": messages, "stream": stream}
    answer = strict.client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert told in error["message"]


def test_a_body_that_is_too_large(strict: Served) -> None:
    answer = strict.client.post("/v1/chat/completions", json={"messages": said("x" * 1_000_001)})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "too-large"


@pytest.mark.parametrize("path", ["/v1/segment", "/v1/caption"])
def test_pictures_that_are_missing_or_too_large(strict: Served, path: str) -> None:
    def refused(status: int, **body: Any) -> str:  # noqa: ANN401
        answer = strict.client.post(path, **body)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        return str(answer.json()["detail"])

    assert "either an image" in refused(422, json={})
    assert "above the limit" in refused(422, files={"image": encoded(plain("red"))})
    assert "larger than the limit" in refused(422, files={"image": b"x" * 100_001})
    assert "1,000,000 bytes" in refused(413, json={"image": "A" * 1_000_001})


@pytest.mark.parametrize("kind", ["chat", "encoder", "other head", "other tower"])
def test_a_segmenter_with_the_weights_of_something_else(kind: str, tmp_path: Path) -> None:
    path, backbone = tmp_path / "seg.safetensors", None
    if kind == "other head":  # that of UperNet on a tower without its pyramid
        tensors = load_file(weights("upernet"))
        saved(path, {n: t for n, t in tensors.items() if not n.startswith("backbone.up")})
    elif kind == "other tower":
        tensors = load_file(weights("linear"))
        saved(path, {n: t for n, t in tensors.items() if n.startswith("decode_head.")})
        backbone = TINY / "model.safetensors"
    else:
        source = {"chat": DATA / "b_qwen2", "encoder": TINY}[kind]
        shutil.copy(source / "model.safetensors", path)
    settings = {"segmenter": path, "segmenter_backbone": backbone, "device": "cpu"}
    with serving(tmp_path / "data", **settings) as served:
        answer = served.client.post("/v1/segment", files={"image": encoded(plain("red"))})
        assert served.client.get("/readyz").json()["heads"] == []
    assert answer.status_code == 503, answer.text
    assert answer.json()["type"] == "urn:polylens:model-unusable"
    expected = (
        "tensors are not those"
        if "other" in kind
        else "is not an InternViT segmentation checkpoint"
    )
    assert expected in answer.json()["detail"]


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("segmenter", "is a file, and a checkpoint of this kind is a folder"),
        ("encoder", "needs an InternVL chat checkpoint"),
        ("weights of the encoder", "unexpected"),
        ("template", "no conversation template is called 'vicuna'"),
    ],
)
def test_a_chat_with_the_weights_of_something_else(kind: str, told: str, tmp_path: Path) -> None:
    folder = bytes_checkpoint(tmp_path / "chat")
    if kind == "weights of the encoder":
        save_file(load_file(TINY / "model.safetensors"), folder / "model.safetensors")
    elif kind == "template":
        stated = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**stated, "template": "vicuna"}))
    chat = {"segmenter": weights("linear"), "encoder": TINY}.get(kind, folder)
    with serving(tmp_path / "data", chat=str(chat), device="cpu") as served:
        answer = served.client.post("/v1/chat/completions", json={"messages": HELLO})
        assert served.client.get("/readyz").json()["heads"] == []
    assert answer.status_code == 503, answer.text
    assert told in answer.json()["error"]["message"]
    assert answer.headers["retry-after"] == "60"
