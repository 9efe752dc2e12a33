"""How the service and its encoder stand."""

from typing import Literal

from pydantic import BaseModel, Field


class EncoderOut(BaseModel):
    """An encoder, as another polylens must know it to use it by its URL."""

    name: str
    description: str
    vectors: dict[str, int] = Field(description="Vector name to dimension.")
    modalities: list[str] = Field(description="text, image")
    fingerprint: dict[str, str] = Field(description="Of each part, a hash of all that decides it.")
    match_threshold: float | None
    batch_size: int = Field(description="Images at a time that keep its devices busy.")
    needs_prompts: bool
    side: int | None = Field(description="Of the square in pixels that it sees.")
    max_inputs: int = Field(description="Of one request for embeddings.")
    max_body_bytes: int


class Health(BaseModel):
    status: Literal["alive", "ready"]


class Readiness(Health):
    heads: list[str] = Field(description="Auxiliary models in memory: chat, segmenter.")
    workers_replaced: int = Field(description="Encoder threads that died and were replaced.")
