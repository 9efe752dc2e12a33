"""What bodies have in common."""

import base64
import binascii
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from indexer import Filter

Payload = dict[str, Any]


def _decoded(value: object) -> bytes:
    if isinstance(value, bytes):  # a file of a form, which JSON cannot hold
        return value
    if not isinstance(value, str):
        raise ValueError("must be a string of base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64 (data: URIs are not accepted)") from None


Float32 = Annotated[float, Field(ge=-3.4e38, le=3.4e38, allow_inf_nan=False)]
Floats = Annotated[list[Float32], Field(max_length=65_536)]
Base64 = Annotated[bytes, PlainValidator(_decoded, json_schema_input_type=str)]
FilterTree = Annotated[Filter, PlainValidator(Filter.parse, json_schema_input_type=Filter)]
"""Checked by the indexer, whose messages name the place and what exists there."""


class Request(BaseModel):
    """A body whose every field is known: a misspelt one is an error."""

    model_config = ConfigDict(extra="forbid")
