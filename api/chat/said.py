"""What is said and shown in a chat, with everything it names found and decoded."""

import base64
import io
from dataclasses import dataclass, field

from PIL import Image

from api.chat.schemas import Citation


@dataclass(frozen=True)
class Shown:
    """A picture, no larger than a model needs; without `detail` it is seen as one tile."""

    image: Image.Image
    detail: bool = True

    def data_uri(self) -> str:
        """As another service takes it."""
        buffer = io.BytesIO()
        self.image.save(buffer, "JPEG", quality=92)
        return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


SaidPart = str | Shown


@dataclass(frozen=True)
class Said:
    """One message with its pictures."""

    role: str
    parts: list[SaidPart]


@dataclass(frozen=True)
class Resolved:
    """All messages, and where the pictures found for the question come from."""

    messages: list[Said]
    citations: list[Citation] = field(default_factory=list)
