"""The official client against a tiny model of this process."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openai
import pytest

from api.chat.resolve import INSTRUCTION, QUOTED
from encoders.heads.chat.conversation import Conversation
from encoders.heads.chat.local import Answering, LocalChat, Sampling
from tests.api.chat.test_proxy import HELLO, Messages, data_uri, picture
from tests.api.conftest import fill
from tests.api.server import Served, serving
from tests.encoders.heads.chats import bytes_checkpoint


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Iterator[Served]:
    folder = bytes_checkpoint(tmp_path_factory.mktemp("local") / "InternVL2-1B-tiny")
    data = tmp_path_factory.mktemp("data")
    with serving(data, collection="colours", chat=str(folder), device="cpu") as served:
        fill(served.installation, "colours", photos)
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_an_answer_and_its_counts(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="InternVL2-1B-tiny", messages=picture(data_uri("red")), max_tokens=9
    )
    assert answer.choices[0].message.content
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 9
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_says_what_an_answer_says(client: openai.OpenAI) -> None:
    def ask(**options: bool) -> object:
        return client.chat.completions.create(  # type: ignore[call-overload]
            model="InternVL2-1B-tiny", messages=picture(data_uri("red")), max_tokens=30, **options
        )

    chunks = list(ask(stream=True, stream_options={"include_usage": True}))  # type: ignore[call-overload, arg-type]
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    answer = ask()
    assert said == answer.choices[0].message.content  # type: ignore[attr-defined]
    assert chunks[-1].usage == answer.usage  # type: ignore[attr-defined]
    assert chunks[-2].choices[0].finish_reason == answer.choices[0].finish_reason  # type: ignore[attr-defined]


def test_a_client_that_leaves_frees_the_model(client: openai.OpenAI) -> None:
    with client.chat.completions.create(
        model="InternVL2-1B-tiny", messages=HELLO, stream=True, max_tokens=20_000
    ) as stream:
        next(iter(stream))
    answer = client.chat.completions.create(
        model="InternVL2-1B-tiny", messages=HELLO, max_tokens=1, timeout=60
    )
    assert answer.choices


def test_chats_take_turns(client: openai.OpenAI) -> None:
    def ask(_: int) -> str | None:
        return (
            client.chat.completions.create(
                model="InternVL2-1B-tiny", messages=HELLO, max_tokens=12, temperature=0
            )
            .choices[0]
            .message.content
        )

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(ask, range(8)))) == 1


def test_the_right_pictures_reach_the_model(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Conversation] = []
    answer = LocalChat.answer

    def recorded(chat: LocalChat, asked: Conversation, sampling: Sampling) -> Answering:
        seen.append(asked)
        return answer(chat, asked, sampling)

    monkeypatch.setattr(LocalChat, "answer", recorded)
    messages: Messages = [{"role": "user", "content": "which is blue?"}]
    found = client.chat.completions.create(
        model="InternVL2-1B-tiny",
        messages=messages,
        max_tokens=2,
        extra_body={"collection": "colours", "hits": 2},
    )
    citations = found.model_extra["citations"]  # type: ignore[index]
    assert {c["asset"].rsplit("/")[-1] for c in citations} == {"blue.jpg", "film.mp4"}
    pictures = [part.image.getpixel((5, 5)) for part in seen[0].pictures()]
    assert len(pictures) == 2
    assert all(blue > 150 and red < 100 for red, _, blue in pictures)  # type: ignore[misc]
    assert seen[0].messages[-1].parts[0] == f"{INSTRUCTION}\n"
    assert seen[0].messages[-1].parts[-1] == "which is blue?"


def test_texts_that_are_found_reach_the_model(served: Served, client: openai.OpenAI) -> None:
    """Its tokens are bytes, so that the length of its prompt tells what is in it."""
    served.installation.create("notes")
    sizes = []
    for text in (
        "the door is red",
        "the door is red, and the key lies under the mat",
        "red " * 2_000,
    ):
        sent = served.client.post("/v1/collections/notes/assets", json={"texts": [text]}).json()
        answer = client.chat.completions.create(
            model="InternVL2-1B-tiny",
            messages=[{"role": "user", "content": "which door?"}],
            max_tokens=1,
            extra_body={"collection": "notes", "hits": 1},
        )
        [item] = sent["items"]
        [citation] = answer.model_extra["citations"]  # type: ignore[index]
        assert (citation["number"], citation["id"]) == (1, item["point"])
        sizes.append(answer.usage.prompt_tokens)  # type: ignore[union-attr]
        served.client.delete("/v1/collections/notes/assets", params={"uri": item["asset"]})
    short, long, cut = sizes
    assert long - short == len(", and the key lies under the mat")
    assert cut - short == QUOTED - len("the door is red")


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"model": "gpt-5"}, 404, "'gpt-5'"),
        ({"n": 2}, 400, "does not support 'n'"),
        ({"tools": [{"type": "function"}]}, 400, "'tools'"),
        ({"max_tokens": 32_768}, 400, "takes 32,768 together"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, 400, "last message"),
        ({"messages": [{"role": "user", "content": "<image>"}]}, 400, "<image>"),
    ],
)
def test_what_the_local_engine_refuses(
    served: Served, body: dict[str, object], status: int, said: str
) -> None:
    for stream in (False, True):
        asked = {"messages": HELLO, "stream": stream, **body}
        answer = served.client.post("/v1/chat/completions", json=asked)
        assert answer.status_code == status, answer.text
        assert said in answer.json()["error"]["message"]


def test_a_checkpoint_that_is_not_there(tmp_path: Path) -> None:
    with serving(tmp_path, chat="OpenGVLab/InternVL2-1B") as served:
        answer = served.client.post("/v1/chat/completions", json={"messages": HELLO})
    assert answer.status_code == 503
    assert "hf download" in answer.json()["error"]["message"]
