"""What a chat engine is, and which one the settings choose."""

from collections.abc import AsyncGenerator
from typing import Protocol

from api.chat.local import LocalChatEngine
from api.chat.proxy import ProxyChat
from api.chat.said import Resolved
from api.chat.schemas import ChatRequest, Chunk
from api.heads import Heads
from api.settings import Settings


class ChatEngine(Protocol):
    """Answers chats one way or another; both methods raise `Refusal`, `EncoderError`."""

    @property
    def model(self) -> str:
        """What `/v1/models` calls it."""
        ...

    def takes(self, model: str | None) -> bool:
        """Whether a request may ask for a model of that name."""
        ...

    async def complete(self, request: ChatRequest, resolved: Resolved) -> Chunk:
        """The whole answer, a `chat.completion`."""
        ...

    def stream(self, request: ChatRequest, resolved: Resolved) -> AsyncGenerator[Chunk]:
        """The answer as `chat.completion.chunk`s; closing the iterator ends the work."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def choose_engine(settings: Settings, heads: Heads) -> ChatEngine | None:
    """The proxy for a URL, the local engine for a checkpoint, None where chat is not set up."""
    if settings.chat is None:
        return None
    if settings.chat.startswith(("http://", "https://")):
        secret = settings.chat_api_key
        key = secret.get_secret_value() if secret else None
        return ProxyChat(settings.chat, settings.chat_model, key)
    return LocalChatEngine(heads, settings.chat_model or settings.chat.rstrip("/").split("/")[-1])
