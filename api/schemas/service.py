"""How the service and its encoder stand."""

from typing import Literal

from pydantic import BaseModel, Field


class EncoderOut(BaseModel):
    """An encoder, as another polylens must know it to use it by its URL."""

    name: str
    description: str
    vectors: dict[str, int] = Field(description="Vector name to dimension.")
    modalities: list[str] = Field(description="text, image")
    fingerprint: dict[str, str] = Field(
        description="For each part, a hash of everything that determines its output."
    )
    match_threshold: float | None
    batch_size: int = Field(description="Number of images that keeps its devices busy.")
    needs_prompts: bool
    side: int | None = Field(description="Side of its input square, in pixels.")
    max_inputs: int = Field(description="Most inputs of one embeddings request.")
    max_body_bytes: int


class Health(BaseModel):
    status: Literal["alive", "ready"]


class Readiness(Health):
    heads: list[str] = Field(description="Auxiliary models in memory: chat, segmenter.")
    workers_replaced: int = Field(description="Encoder threads that died and were replaced.")
