"""Embedding and reranking in OpenAI's and Cohere's formats; blocking."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator

from api.batching import BatchingEncoder
from api.problems import Refusal
from api.schemas.service import EncoderOut
from api.service import Service
from encoders import Use, Vectors
from ingestion import load_image
from ingestion.reading import input_side
from retrieval.query import MAX_TEXT

MAX_INPUTS = 256
LONGEST = 64 << 10
"""Characters of one text: as many as ingestion takes of a file."""
SIDE = 1024
DATA = re.compile(r"data:image/[\w.+-]+;base64,", re.ASCII)


def _item(value: object) -> object:
    """A text, a data: URI, or an object with `text` or `image`."""
    if isinstance(value, int | list):
        raise ValueError("token lists are not supported: send the text itself")
    return {"image" if DATA.match(value) else "text": value} if isinstance(value, str) else value


class Content(BaseModel):
    """One text or one picture."""

    model_config = ConfigDict(extra="forbid")

    text: str | None = Field(None, max_length=LONGEST)
    image: str | None = Field(None, description="Base64, or a data: URI.")
    use: Use = Field("search", description="What the image is for: a frame is one of a video.")

    @model_validator(mode="after")
    def _one(self) -> "Content":
        if (self.text is None) == (self.image is None):
            raise ValueError("give exactly one of text and image")
        return self


def _contents(value: object) -> list[Content]:
    items = value if isinstance(value, list) else [value]
    if not 1 <= len(items) <= MAX_INPUTS:
        raise ValueError(f"give 1 to {MAX_INPUTS} inputs, not {len(items)}")
    return [Content.model_validate(_item(item)) for item in items]


Inputs = Annotated[
    list[Content],
    PlainValidator(
        _contents,
        json_schema_input_type=str | Content | Annotated[list[str | Content], Field(min_length=1)],
    ),
]


class EmbeddingsRequest(BaseModel):
    """OpenAI's, and `vector` and `normalize` beside it."""

    input: Inputs = Field(examples=[["a red bicycle", {"text": "ein Hund"}]])
    model: str | None = Field(None, description="The encoder's name, listed by `/v1/models`.")
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(
        None, ge=1, description="Must be the vector's own dimension; vectors cannot be shortened."
    )
    user: str | None = None
    vector: str | None = Field(None, description="Vector name, if the encoder has several.")
    vectors: list[str] = Field(
        [], max_length=8, description="Vector names to return in each item's `vectors`."
    )
    normalize: bool = Field(True, description="Return unit vectors; false to pool pictures.")


class RerankRequest(BaseModel):
    """Cohere's; a document is a text, or a picture as a data: URI or `{"image": ...}`."""

    query: str = Field(min_length=1, max_length=MAX_TEXT, examples=["something red"])
    documents: Inputs = Field(examples=[["a blue wall", "a red wall"]])
    model: str | None = None
    top_n: int | None = Field(None, ge=1)
    return_documents: bool = False


def embed(service: Service, request: EmbeddingsRequest) -> dict[str, Any]:
    """Raises `Refusal`, `MediaError`, `InvalidInput`."""
    encoder = _encoder(service, request.model)
    vectors = _vectors(service, encoder, request.input, normalize=request.normalize)
    rows = vectors[_name(encoder, request.vector)]
    if request.dimensions not in (None, rows.shape[1]):
        raise Refusal(
            400,
            "unknown-dimensions",
            f"the vectors of {encoder.info.name} have {rows.shape[1]} dimensions and cannot be "
            "shortened: leave dimensions out",
        )
    form = request.encoding_format
    data: list[dict[str, Any]] = [
        {"object": "embedding", "index": index, "embedding": _coded(row, form)}
        for index, row in enumerate(rows)
    ]
    names = [_name(encoder, name) for name in request.vectors]
    for index, item in enumerate(data if names else []):
        item["vectors"] = {name: _coded(vectors[name][index], form) for name in names}
    usage = {"prompt_tokens": 0, "total_tokens": 0}  # nothing is counted, nothing is charged
    answer = {"object": "list", "data": data, "model": encoder.info.name, "usage": usage}
    return answer | ({"fingerprint": dict(encoder.info.fingerprint)} if names else {})


def describe(service: Service) -> EncoderOut:
    """The encoder of this installation, as another one must know it to ask it."""
    info = service.installation.encoder().info
    shows = "image" in info.modalities
    return EncoderOut(
        name=info.name,
        description=info.description,
        vectors=dict(info.vectors),
        modalities=sorted(info.modalities),
        fingerprint=dict(info.fingerprint),
        match_threshold=info.match_threshold,
        batch_size=info.batch_size,
        needs_prompts=info.needs_prompts,
        side=input_side(service.installation.encoder().preprocess) if shows else None,
        max_inputs=MAX_INPUTS,
        max_body_bytes=service.installation.settings.max_body_bytes,
    )


def rerank(service: Service, request: RerankRequest) -> list[dict[str, Any]]:
    """Documents by their relevance, (1 + cosine) / 2, from 1 to 0; raises as `embed` does."""
    encoder = _encoder(service, request.model)
    documents = _vectors(service, encoder, request.documents)
    name = _name(encoder, None)
    query = _vectors(service, encoder, [Content(text=request.query)])[name][0]
    scores = ((1 + documents[name] @ query) / 2).clip(0, 1)
    order = np.argsort(-scores, kind="stable")[: request.top_n]
    results: list[dict[str, Any]] = [
        {"index": int(i), "relevance_score": float(scores[i])} for i in order
    ]
    if request.return_documents:
        for result in results:
            content = request.documents[result["index"]]
            result["document"] = content.model_dump(exclude_none=True, exclude={"use"})
    return results


def _encoder(service: Service, model: str | None) -> BatchingEncoder:
    encoder = service.installation.encoder()
    if model not in (None, encoder.info.name, service.installation.encoder_name):
        raise Refusal(
            404, "unknown-model", f"there is no model {model!r} here: use {encoder.info.name!r}"
        )
    return encoder


def _name(encoder: BatchingEncoder, name: str | None) -> str:
    names = list(encoder.info.vectors)
    if name is not None and name not in names:
        raise Refusal(
            400, "unknown-vector", f"{encoder.info.name} has the vectors {', '.join(names)}"
        )
    return name or names[0]


def _vectors(
    service: Service,
    encoder: BatchingEncoder,
    contents: Sequence[Content],
    *,
    normalize: bool = True,
) -> Vectors:
    """Rows in the order of the contents, texts and pictures each encoded together."""
    texts = [(n, c.text) for n, c in enumerate(contents) if c.text is not None]
    pictures = [(n, c.image, c.use) for n, c in enumerate(contents) if c.image is not None]
    parts: list[tuple[list[int], Vectors]] = []
    if texts:
        parts.append(([n for n, _ in texts], encoder.encode_texts([text for _, text in texts])))
    if pictures:
        pixels = [
            encoder.preprocess(load_image(_bytes(data), service.limits, SIDE), use)
            for _, data, use in pictures
        ]
        found = encoder.encode_pixels(pixels, normalize=normalize)
        parts.append(([n for n, *_ in pictures], found))
    rows = {
        d: np.empty((len(contents), dim), np.float32) for d, dim in encoder.info.vectors.items()
    }
    for places, vectors in parts:
        for name, values in vectors.items():
            rows[name][places] = values
    return rows


def _bytes(image: str) -> bytes:
    try:
        return base64.b64decode(
            image.partition(",")[2] if DATA.match(image) else image, validate=True
        )
    except (binascii.Error, ValueError):
        raise Refusal(400, "bad-image", "a picture is not valid base64") from None


def _coded(row: NDArray[np.float32], form: Literal["float", "base64"]) -> list[float] | str:
    """As numbers, or as little-endian float32 in base64, which is what OpenAI's clients ask for."""
    if form == "float":
        return [float(value) for value in row]
    return base64.b64encode(row.astype("<f4").tobytes()).decode()
