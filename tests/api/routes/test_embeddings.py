"""The official OpenAI and Cohere clients against this service."""

import base64
from collections.abc import Iterator

import cohere
import httpx
import numpy as np
import openai
import pytest
from PIL import Image

from encoders.fake import FakeEncoder
from tests.api.server import Served
from tests.media import encoded, plain


def data_uri(image: Image.Image) -> str:
    return f"data:image/png;base64,{base64.b64encode(encoded(image, 'PNG')).decode()}"


@pytest.fixture
def client_openai(library: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{library.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_openais_client(client_openai: openai.OpenAI) -> None:
    """It asks for base64 by itself."""
    answer = client_openai.embeddings.create(model="fake", input=["red", "deep blue"])
    expected = FakeEncoder().encode_texts(["red", "deep blue"])["default"]
    found = np.array([item.embedding for item in answer.data], np.float32)
    np.testing.assert_array_equal(found, expected)
    assert [item.index for item in answer.data] == [0, 1]
    assert answer.model == "fake"
    plain_floats = client_openai.embeddings.create(
        model="fake", input="red", encoding_format="float"
    )
    np.testing.assert_allclose(plain_floats.data[0].embedding, expected[0], rtol=1e-6)


def test_pictures_and_texts_in_one_request(client: httpx.Client) -> None:
    red = plain("red")
    sent = base64.b64encode(encoded(red, "PNG")).decode()
    inputs = ["red", data_uri(red), {"image": sent}, {"text": "blue"}]
    answer = client.post("/v1/embeddings", json={"input": inputs})
    assert answer.status_code == 200, answer.text
    rows = np.array([item["embedding"] for item in answer.json()["data"]])
    np.testing.assert_array_equal(rows[1], rows[2])
    assert rows[0] @ rows[1] > rows[3] @ rows[1]
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_rows_for_pooling(client: httpx.Client) -> None:
    body = {"input": data_uri(plain("red")), "normalize": False}
    row = client.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
    expected = FakeEncoder().encode_images([plain("red")], normalize=False)["default"][0]
    np.testing.assert_allclose(row, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"input": []}, 400, "1 to 256 inputs"),
        ({"input": ["a"] * 257}, 400, "not 257"),
        ({"input": [1, 2, 3]}, 400, "token lists are not supported"),
        ({"input": [[1, 2], [3]]}, 400, "token lists are not supported"),
        ({"input": [{"text": "a", "image": "b"}]}, 400, "exactly one"),
        ({"input": ""}, 400, "empty"),
        ({"input": "a", "model": "gpt"}, 404, "'fake'"),
        ({"input": "a", "dimensions": 3}, 400, "cannot be shortened"),
        ({"input": "a", "vector": "g"}, 400, "has the vectors default"),
        ({"input": "data:image/png;base64,%%"}, 400, "base64"),
        ({"input": {"image": "aGVsbG8="}}, 400, "not an image"),
    ],
)
def test_bad_inputs(client: httpx.Client, body: dict[str, object], status: int, said: str) -> None:
    answer = client.post("/v1/embeddings", json=body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"]


def test_coheres_clients(library: Served) -> None:
    documents = ["a blue wall", "something red", "green grass"]
    with httpx.Client() as http:
        second = cohere.ClientV2(api_key="none", base_url=library.url, httpx_client=http)
        answer = second.rerank(model="fake", query="red", documents=documents, top_n=2)
        first = cohere.Client(api_key="none", base_url=library.url, httpx_client=http)
        old = first.rerank(model="fake", query="red", documents=documents, return_documents=True)
    best, next_best = answer.results
    assert best.index == 1
    assert 1 >= best.relevance_score > next_best.relevance_score >= 0
    assert [result.index for result in old.results][:2] == [1, next_best.index]
    assert old.results[0].document is not None
    assert old.results[0].document.text == "something red"


def test_pictures_are_ranked_by_text(client: httpx.Client) -> None:
    documents = [data_uri(plain(colour)) for colour in ("blue", "red", "green")]
    answer = client.post("/v2/rerank", json={"query": "green", "documents": documents})
    assert answer.json()["results"][0]["index"] == 2
    bad = client.post("/v2/rerank", json={"query": "green", "documents": []})
    assert bad.status_code == 422
