"""A chat as it goes over the wire: OpenAI's shape, and what polylens adds to it."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

MAX_MESSAGES = 256
MAX_PICTURES = 32
MAX_TEXT = 200_000
MAX_FRAMES = 32
MAX_PARTS = 1024
"""Of one message."""


class TextPart(BaseModel):
    type: Literal["text"]
    text: str = Field(max_length=MAX_TEXT)


class ImageUrl(BaseModel):
    url: str = Field(description="A data: URI, or `polylens://COLLECTION/POINT` of a stored point.")
    detail: Literal["auto", "low", "high"] = Field("auto", description="`low`: one tile.")


class ImagePart(BaseModel):
    type: Literal["image_url"]
    image_url: ImageUrl


class VideoUrl(BaseModel):
    url: str = Field(description="`polylens://COLLECTION/POINT` of a stored video or segment.")
    frames: int = Field(8, ge=1, le=MAX_FRAMES, description="Frames shown, evenly spaced.")


class VideoPart(BaseModel):
    type: Literal["video_url"]
    video_url: VideoUrl


ContentPart = Annotated[TextPart | ImagePart | VideoPart, Field(discriminator="type")]


class ChatMessage(BaseModel):
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[
        Annotated[str, Field(max_length=MAX_TEXT), Tag("text")]
        | Annotated[list[ContentPart], Field(min_length=1, max_length=MAX_PARTS), Tag("parts")],
        Discriminator(lambda content: "text" if isinstance(content, str) else "parts"),
    ]


class StreamOptions(BaseModel):
    include_usage: bool = False


Stop = Annotated[str, Field(min_length=1, max_length=100)]


class ChatRequest(BaseModel):
    """OpenAI's chat completion. Fields not named here are passed on by the proxy engine."""

    model_config = ConfigDict(extra="allow")

    messages: list[ChatMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    model: str | None = Field(None, description="The name listed by `/v1/models`; there is one.")
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1, le=32_768)
    max_completion_tokens: int | None = Field(None, ge=1, le=32_768)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    seed: int | None = Field(None, ge=0, lt=2**63)
    collection: str | None = Field(
        None, description="Search this collection for the question first; answer from its hits."
    )
    hits: int = Field(
        4, ge=1, le=16, description="Number of hits of `collection` to show to the model."
    )
    points: list[UUID] = Field(
        [], max_length=16, description="Show these points of `collection` instead of searching it."
    )

    @model_validator(mode="after")
    def _placed(self) -> Self:
        if self.points and self.collection is None:
            raise ValueError("points need a `collection`")
        return self

    @property
    def limit(self) -> int | None:
        """Most tokens of the answer, under either of its names."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> list[str]:
        """The texts that end the answer."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


class Citation(BaseModel):
    """A hit that was shown, or quoted, to the model under its `number`."""

    number: int
    id: str
    asset: str
    score: float | None = Field(None, description="Where it was searched for.")
    start: float | None = Field(None, description="Of a video's moment, in seconds.")
    end: float | None = None


class ModelInfo(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "polylens"
    kind: Literal["embedding", "chat"]


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ModelInfo]


Chunk = dict[str, Any]
"""A `chat.completion` or `chat.completion.chunk` object."""
