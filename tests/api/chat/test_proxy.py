"""The official client against a proxied server: answers, streams, faults."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from PIL import Image

from tests.api.chat.upstream import Upstream, upstream
from tests.api.conftest import fill
from tests.api.server import Served, serving
from tests.media import encoded, plain

Messages = list[ChatCompletionMessageParam]
HELLO: Messages = [{"role": "user", "content": "What is this?"}]


@pytest.fixture(scope="module")
def behind() -> Iterator[Upstream]:
    with upstream() as state:
        yield state


@pytest.fixture(autouse=True)
def well(behind: Upstream) -> None:
    behind.fault = ""
    behind.asked.clear()
    behind.cancelled.clear()


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, behind: Upstream, photos: Path
) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("proxied")
    with serving(data, collection="colours", chat=behind.url, chat_api_key="sesame") as served:
        fill(served.installation, "colours", photos)
        yield served


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def data_uri(colour: str) -> str:
    return f"data:image/png;base64,{base64.b64encode(encoded(plain(colour), 'PNG')).decode()}"


def picture(url: str) -> Messages:
    return [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": url}},
                {"type": "text", "text": "?"},
            ],
        }
    ]


def shown(body: dict[str, list[dict[str, list[dict[str, dict[str, str]]]]]]) -> list[Image.Image]:
    """The pictures that reached the upstream."""
    urls = [
        p["image_url"]["url"] for m in body["messages"] for p in m["content"] if "image_url" in p
    ]
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]


def average(image: Image.Image) -> list[int]:
    """The picture's colour, red, green and blue from 0 to 255."""
    return list(image.convert("RGB").resize((1, 1)).tobytes())


def test_an_answer_comes_through(client: openai.OpenAI, behind: Upstream) -> None:
    answer = client.chat.completions.create(
        model="any", messages=HELLO, temperature=0.5, presence_penalty=0.25
    )
    assert answer.choices[0].message.content == "It is a panda."
    assert answer.usage is not None
    assert answer.usage.total_tokens == 12
    (body,) = behind.asked
    assert behind.keys[-1] == "Bearer sesame"
    assert (body["model"], body["temperature"], body["presence_penalty"]) == ("any", 0.5, 0.25)
    assert body["messages"][0]["content"] == [{"type": "text", "text": "What is this?"}]


def test_a_stream_comes_through(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="any", messages=HELLO, stream=True)
    words = [chunk.choices[0].delta.content for chunk in stream]
    assert words == ["It ", "is ", "a ", "panda", "."]


def test_a_client_that_leaves_ends_the_work(client: openai.OpenAI, behind: Upstream) -> None:
    behind.fault = "lingers"
    with client.chat.completions.create(model="any", messages=HELLO, stream=True) as stream:
        next(iter(stream))
    assert behind.cancelled.wait(timeout=10)


def test_pictures_sent_and_stored(client: openai.OpenAI, behind: Upstream, served: Served) -> None:
    client.chat.completions.create(model="any", messages=picture(data_uri("blue")))
    assert average(shown(behind.asked[-1])[0])[2] > 200
    points = served.client.get("/v1/collections/colours/points?kind=image").json()["points"]
    red = next(point for point in points if point["payload"]["name"] == "red.jpg")
    client.chat.completions.create(model="any", messages=picture(f"polylens://colours/{red['id']}"))
    (stored,) = shown(behind.asked[-1])
    assert average(stored)[0] > 200


def test_frames_of_a_stored_video(served: Served, behind: Upstream) -> None:
    points = served.client.get("/v1/collections/colours/points?kind=video").json()["points"]
    video = {"url": f"polylens://colours/{points[0]['id']}", "frames": 3}
    message = {"role": "user", "content": [{"type": "video_url", "video_url": video}]}
    answer = served.client.post("/v1/chat/completions", json={"messages": [message]})
    assert answer.status_code == 200, answer.text
    frames = [average(image) for image in shown(behind.asked[-1])]
    assert [frame.index(max(frame)) for frame in frames] == [0, 1, 2]  # red, green, blue
    texts = [part.get("text") for part in behind.asked[-1]["messages"][0]["content"]]
    assert texts[0::2] == ["Frame-1: ", "Frame-2: ", "Frame-3: "]


def test_answers_from_a_collection_are_cited(client: openai.OpenAI, behind: Upstream) -> None:
    messages: Messages = [{"role": "user", "content": "which one is green?"}]
    answer = client.chat.completions.create(
        model="any", messages=messages, extra_body={"collection": "colours", "hits": 2}
    )
    citations = answer.model_extra["citations"]  # type: ignore[index]
    assert [citation["number"] for citation in citations] == [1, 2]
    first, second = shown(behind.asked[-1])
    for image in (first, second):
        red, green, blue = average(image)
        assert green > 100 > max(red, blue)
    assert {citation["asset"].rsplit("/")[-1] for citation in citations} == {
        "green.jpg",
        "film.mp4",
    }
    film = next(citation for citation in citations if "film" in citation["asset"])
    assert 3 <= film["start"] < film["end"] <= 9
    assert "collection" not in behind.asked[-1]


def test_named_points_are_shown_in_their_order(
    client: openai.OpenAI, served: Served, behind: Upstream
) -> None:
    points = served.client.get("/v1/collections/colours/points?kind=image").json()["points"]
    chosen = points[1::-1]
    answer = client.chat.completions.create(
        model="any",
        messages=HELLO,
        extra_body={"collection": "colours", "points": [point["id"] for point in chosen]},
    )
    citations = answer.model_extra["citations"]  # type: ignore[index]
    assert [citation["id"] for citation in citations] == [point["id"] for point in chosen]
    colours = [point["payload"]["name"].removesuffix(".jpg") for point in chosen]
    for picture, colour in zip(shown(behind.asked[-1]), colours, strict=True):
        assert np.allclose(average(picture), average(plain(colour)), atol=12)
    assert "points" not in behind.asked[-1]


def test_a_stream_carries_its_citations_first(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="any",
        messages=[{"role": "user", "content": "red"}],
        stream=True,
        extra_body={"collection": "colours", "hits": 1},
    )
    first, *rest = list(stream)
    assert len(first.model_extra["citations"]) == 1  # type: ignore[index]
    assert not any((chunk.model_extra or {}).get("citations") for chunk in rest)


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ("busy", openai.RateLimitError, "busy"),
        ("refuses", openai.BadRequestError, "context length exceeded"),
        ("fails", openai.InternalServerError, "answered with status 500"),
        ("nonsense", openai.InternalServerError, "something other than a completion"),
    ],
)
def test_upstream_errors_are_told(
    client: openai.OpenAI,
    behind: Upstream,
    fault: str,
    error: type[openai.APIStatusError],
    said: str,
) -> None:
    behind.fault = fault
    with pytest.raises(error, match=said) as raised:
        client.chat.completions.create(model="any", messages=HELLO)
    assert "secret" not in str(raised.value)
    if fault == "busy":
        assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("fault", "said"),
    [("dies", "broke off in the middle"), ("ends early", r"without \[DONE\]")],
)
def test_an_upstream_that_dies_in_the_middle_of_a_stream(
    client: openai.OpenAI, behind: Upstream, fault: str, said: str
) -> None:
    behind.fault = fault
    stream = client.chat.completions.create(model="any", messages=HELLO, stream=True)
    words = [next(stream).choices[0].delta.content for _ in range(2)]
    assert words == ["It ", "is "]
    with pytest.raises(openai.APIError, match=said):
        next(stream)


def test_an_upstream_that_dies_in_the_middle_of_an_answer(
    client: openai.OpenAI, behind: Upstream
) -> None:
    behind.fault = "dies"
    with pytest.raises(openai.InternalServerError, match="broke off in the middle") as raised:
        client.chat.completions.create(model="any", messages=HELLO)
    assert raised.value.status_code == 502


def test_the_name_in_the_settings_is_the_only_model(tmp_path: Path, behind: Upstream) -> None:
    with serving(tmp_path, chat=behind.url, chat_model="internvl3-8b") as served:

        def asked(**body: object) -> httpx.Response:
            return served.client.post("/v1/chat/completions", json={"messages": HELLO, **body})

        refused = asked(model="gpt-5")
        assert refused.status_code == 404
        assert "no model 'gpt-5' here: use 'internvl3-8b'" in refused.json()["error"]["message"]
        assert not behind.asked
        assert asked().status_code == asked(model="internvl3-8b").status_code == 200
        assert {body["model"] for body in behind.asked} == {"internvl3-8b"}


def test_an_upstream_that_is_away(tmp_path: Path) -> None:
    with serving(tmp_path, chat="http://127.0.0.1:9/v1") as served:
        answer = served.client.post("/v1/chat/completions", json={"messages": HELLO})
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "cannot be reached" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "user", "content": []}]}, 400, "content"),
        ({"messages": HELLO, "temperature": 3}, 400, "temperature"),
        ({"messages": picture("https://example.com/cat.jpg")}, 400, "nothing is fetched"),
        ({"messages": picture("file:///etc/passwd")}, 400, "nothing is fetched"),
        ({"messages": picture("data:image/png;base64,%%%")}, 400, "base64"),
        ({"messages": picture("data:image/png;base64,aGVsbG8=")}, 400, "not an image"),
        (
            {"messages": picture(f"polylens://nowhere/{'0' * 8}-0000-0000-0000-{'0' * 12}")},
            404,
            "no",
        ),
        (
            {"messages": picture(f"polylens://colours/{'0' * 8}-0000-0000-0000-{'0' * 12}")},
            404,
            "no",
        ),
        ({"messages": picture(f"polylens://colours/{'-' * 36}")}, 400, "not a point id"),
        ({"messages": HELLO, "collection": "nowhere"}, 404, "nowhere"),
        (
            {"messages": HELLO, "points": ["00000000-0000-0000-0000-000000000000"]},
            400,
            "collection",
        ),
        ({"messages": picture(data_uri("red"))[:1] * 33}, 400, "33 pictures"),
        (
            {"messages": [{"role": "user", "content": "  "}], "collection": "colours"},
            400,
            "no text",
        ),
    ],
)
def test_bad_requests_are_told_in_openais_shape(
    served: Served, body: dict[str, object], status: int, said: str
) -> None:
    answer = served.client.post("/v1/chat/completions", json=body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert said in error["message"]


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["fake", "proxied"]


def test_without_a_chat_model_the_rest_goes_on(library: Served) -> None:
    answer = library.client.post("/v1/chat/completions", json={"messages": HELLO})
    assert answer.status_code == 501
    assert "POLYLENS_CHAT" in answer.json()["error"]["message"]
    assert [m["id"] for m in library.client.get("/v1/models").json()["data"]] == ["fake"]
    assert library.client.get("/v1/collections/colours/search?q=red").status_code == 200


def test_a_key_is_needed_where_the_service_has_one(tmp_path: Path) -> None:
    with serving(tmp_path, api_keys=["0" * 64]) as served:
        answer = httpx.post(f"{served.url}/v1/chat/completions", json={"messages": HELLO})
    assert answer.status_code == 401
    assert "key" in answer.json()["error"]["message"]
