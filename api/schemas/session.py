"""Signing in."""

from typing import Literal

from pydantic import BaseModel, Field

from api.schemas.base import Request


class Credentials(Request):
    key: str = Field(max_length=512)


class SessionInfo(BaseModel):
    scope: Literal["read", "write", "admin"] = Field(description="What the caller may do.")
