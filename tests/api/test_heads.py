"""Chat and segmentation in turns where the memory is too small for both; with tiny weights."""

import base64
import gc
import json
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from api.heads import GB, Heads, NotConfigured
from api.settings import Settings
from encoders import TooLittleMemory
from encoders.heads.chat.conversation import Conversation, Message
from encoders.heads.chat.local import Sampling
from tests.api.chat.test_proxy import HELLO
from tests.api.server import Served, serving
from tests.encoders.heads.chats import bytes_checkpoint
from tests.encoders.heads.test_segmentation import weights
from tests.media import encoded, plain

Make = Callable[..., Heads]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The settings that name them."""
    chat = bytes_checkpoint(tmp_path_factory.mktemp("heads") / "InternVL2-1B-tiny")
    return {"chat": str(chat), "segmenter": weights("linear"), "device": "cpu"}


@pytest.fixture
def make(checkpoints: dict[str, Any], tmp_path: Path) -> Make:
    def made(**settings: Any) -> Heads:  # noqa: ANN401
        return Heads(Settings(data=tmp_path, **checkpoints, **settings))

    return made


@pytest.fixture(scope="module")
def sizes(checkpoints: dict[str, Any]) -> dict[str, float]:
    """Gigabytes of each."""
    heads = Heads(Settings(**checkpoints))
    with heads.chat() as chat, heads.segmenter() as segmenter:
        for name, head in (("chat", chat), ("segmenter", segmenter)):
            held = sum(tensor.nbytes for tensor in head._model.state_dict().values())
            assert heads.loaded[name] == held
    return {name: size / GB for name, size in heads.loaded.items()}


def hello(heads: Heads) -> str:
    with heads.chat() as chat:
        asked = Conversation([Message("user", ["Hello"])])
        return "".join(chat.answer(asked, Sampling(max_tokens=4)))


def test_nothing_is_loaded_before_it_is_asked_for(make: Make) -> None:
    heads = make()
    assert heads.loaded == {}
    first = hello(heads)
    assert list(heads.loaded) == ["chat"]
    with heads.chat() as one, heads.chat() as same:
        assert one is same
    assert hello(heads) == first


def test_where_both_fit_both_stay(make: Make, sizes: dict[str, float]) -> None:
    heads = make(heads_memory=sum(sizes.values()) * 1.01)
    with heads.segmenter():
        hello(heads)
    assert set(heads.loaded) == {"chat", "segmenter"}
    assert heads.unloaded == {}


def test_where_they_do_not_the_idle_one_leaves(make: Make, sizes: dict[str, float]) -> None:
    heads = make(heads_memory=sum(sizes.values()) * 0.99)
    first = hello(heads)
    with heads.chat() as chat:
        gone = weakref.ref(chat._model)
        del chat
    with heads.segmenter():
        assert list(heads.loaded) == ["segmenter"]
        gc.collect()
        assert gone() is None
    assert hello(heads) == first
    assert heads.unloaded == {"chat": 1, "segmenter": 1}


def test_the_one_that_was_idle_longest_leaves(make: Make, sizes: dict[str, float]) -> None:
    heads = make(heads_memory=sum(sizes.values()) * 1.01)
    hello(heads)
    with heads.segmenter():
        pass
    hello(heads)
    assert list(heads.loaded) == ["segmenter", "chat"]


def test_one_at_work_is_waited_for(make: Make, sizes: dict[str, float]) -> None:
    heads = make(heads_memory=sum(sizes.values()) * 0.99)

    def segmenting() -> list[str]:
        with heads.segmenter():
            return list(heads.loaded)

    with ThreadPoolExecutor(1) as threads:
        with heads.chat() as chat:
            waiting = threads.submit(segmenting)
            asked = Conversation([Message("user", ["Hello"])])
            assert list(chat.answer(asked, Sampling(max_tokens=8)))
            assert not waiting.done()
            assert list(heads.loaded) == ["chat"]
        del chat
        assert waiting.result(timeout=60) == ["segmenter"]


def test_nobody_waits_for_ever(make: Make, sizes: dict[str, float]) -> None:
    heads = make(heads_memory=sum(sizes.values()) * 0.99, request_timeout=0.05)
    with heads.chat(), pytest.raises(TooLittleMemory, match="are busy"), heads.segmenter():
        pass
    with heads.segmenter():  # now it is idle
        assert list(heads.loaded) == ["segmenter"]


def test_what_never_fits_drives_nobody_out(make: Make, sizes: dict[str, float]) -> None:
    small, large = sorted(sizes, key=lambda name: sizes[name])
    heads = make(heads_memory=(sizes[small] + sizes[large]) / 2)
    ask = {"chat": heads.chat, "segmenter": heads.segmenter}
    with ask[small]():
        pass
    with pytest.raises(TooLittleMemory, match="heads_memory allows"), ask[large]():
        pass
    assert list(heads.loaded) == [small]


def test_running_out_of_memory_at_work_is_told(make: Make) -> None:
    heads = make()
    with pytest.raises(TooLittleMemory, match="smaller pictures"), heads.chat():
        raise torch.OutOfMemoryError("CUDA out of memory")
    assert hello(heads)


def test_without_a_checkpoint(tmp_path: Path) -> None:
    heads = Heads(Settings(data=tmp_path))
    with pytest.raises(NotConfigured, match="POLYLENS_CHAT"), heads.chat():
        pass
    with pytest.raises(NotConfigured, match="POLYLENS_SEGMENTER"), heads.segmenter():
        pass
    assert heads.loaded == {}


def gauges(served: Served, name: str) -> dict[str, float]:
    lines = served.client.get("/metrics").text.splitlines()
    found = (line.split() for line in lines if line.startswith(f"polylens_{name}{{"))
    return {label.split('"')[1]: float(value) for label, value in found}


def test_they_take_turns_over_http(
    checkpoints: dict[str, Any], sizes: dict[str, float], tmp_path: Path
) -> None:
    budget = sum(sizes.values()) * 0.99
    image = {"image": base64.b64encode(encoded(plain("red"))).decode()}
    chat = {"messages": HELLO, "max_tokens": 3}
    with serving(tmp_path, heads_memory=budget, **checkpoints) as served:
        for path, body, name in (
            ("/v1/segment", image, "segmenter"),
            ("/v1/chat/completions", chat, "chat"),
            ("/v1/chat/completions", {**chat, "stream": True}, "chat"),
            ("/v1/segment", image, "segmenter"),
        ):
            answer = served.client.post(path, json=body)
            assert answer.status_code == 200, answer.text
            assert served.client.get("/readyz").json()["heads"] == [name]
            assert gauges(served, "heads_loaded") == {name: 1}
            assert gauges(served, "heads_memory_bytes") == {name: round(sizes[name] * GB)}
        assert gauges(served, "heads_unloaded") == {"segmenter": 1, "chat": 1}


def test_a_budget_that_is_too_small_is_told(checkpoints: dict[str, Any], tmp_path: Path) -> None:
    with serving(tmp_path, heads_memory=1e-6, **checkpoints) as served:
        image = {"image": base64.b64encode(encoded(plain("red"))).decode()}
        answer = served.client.post("/v1/segment", json=image)
        assert answer.json()["type"] == "urn:polylens:too-little-memory"
        asked = served.client.post("/v1/chat/completions", json={"messages": HELLO})
        assert asked.json()["error"]["code"] == "too-little-memory"
        for refusal in (answer, asked):
            assert refusal.status_code == 503
            assert refusal.headers["retry-after"] == "10"
            assert "heads_memory allows 0.000 GB" in json.dumps(refusal.json())
        assert served.client.get("/readyz").json()["heads"] == []
