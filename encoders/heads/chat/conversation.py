"""A conversation about pictures, before any tokenizer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from encoders.errors import InvalidInput

PLACE = "<image>"
"""Stands for a picture in a prompt until its tokens are written."""


@dataclass(frozen=True)
class Picture:
    """A picture shown; without `detail` it is seen as one tile, as frames of videos are."""

    image: Image.Image
    detail: bool = True


Part = str | Picture


@dataclass(frozen=True)
class Message:
    """What somebody says: texts and pictures in their order."""

    role: Literal["system", "user", "assistant"]
    parts: Sequence[Part]

    def text(self) -> str:
        """Its text, with a place for each picture on a line of its own."""
        written = (part if isinstance(part, str) else f"{PLACE}\n" for part in self.parts)
        return "".join(written)


@dataclass(frozen=True)
class Conversation:
    """Turns that end with the user's, and what the system says before them, if anything."""

    messages: Sequence[Message]

    def __post_init__(self) -> None:
        """Raises `InvalidInput` where nobody asks, or texts hold the mark for a picture."""
        turns = self.turns()
        if not turns or turns[-1][0] != "user":
            raise InvalidInput("the last message must be the user's")
        if any(PLACE in part for m in self.messages for part in m.parts if isinstance(part, str)):
            raise InvalidInput(
                f"a text holds {PLACE!r}, which stands for a picture: write it apart"
            )

    @property
    def system(self) -> str | None:
        """The system's messages together, None if there are none."""
        said = [message.text() for message in self.messages if message.role == "system"]
        return "\n".join(said) if said else None

    def turns(self) -> list[tuple[str, str]]:
        """Who speaks and what, without the system."""
        return [(m.role, m.text()) for m in self.messages if m.role != "system"]

    def pictures(self) -> Iterator[Picture]:
        """All pictures, in the order of their places."""
        for message in self.messages:
            if message.role != "system":
                yield from (part for part in message.parts if isinstance(part, Picture))
