"""One request to a service, and how its answer is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from api.refusal import ServiceError

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Call(Generic[T]):
    """`path` as the OpenAPI document writes it, with `names` for what stands in braces.

    The body is `json`, a form of `files` with `fields` beside them, or one file as `content`. The
    answer's body goes into the file `target`, if there is one. A `slow` one takes as long as the
    disk does. What is not to be done twice is asked `once`: not again where the connection broke
    off after it was sent.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    names: Mapping[str, object] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    files: Sequence[Path] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    content: Path | None = None
    target: Path | None = None
    slow: bool = False
    once: bool = False

    @property
    def url(self) -> str:
        """Its path; raises `ServiceError` for a name that would lead elsewhere."""
        return self.path.format_map({name: _part(str(it)) for name, it in self.names.items()})

    def arguments(self, stack: ExitStack | AsyncExitStack, timeout: float) -> dict[str, Any]:
        """For `httpx`; files are opened anew each time, and streamed."""
        given: dict[str, Any] = {
            "params": {name: value for name, value in self.params.items() if value is not None},
            "timeout": httpx.Timeout(timeout, read=None if self.slow else timeout),
        }
        if self.files:
            given["data"] = self.fields
            given["files"] = [("files", (path.name, _opened(stack, path))) for path in self.files]
        elif self.content is not None:
            given["content"] = _opened(stack, self.content)
        elif self.json is not None:
            given["json"] = self.json
        return given


def headers(key: str | None) -> dict[str, str]:
    """What every request carries."""
    return {"Authorization": f"Bearer {key}"} if key else {}


def model(kind: type[M]) -> Callable[[httpx.Response], M]:
    """Reads the body as a model."""
    return lambda response: kind.model_validate_json(response.content)


def nothing(_: httpx.Response) -> None:
    """For answers without a body."""


@contextmanager
def whole(target: Path) -> Iterator[IO[bytes]]:
    """A file to write to, which takes `target`'s place once all of it is there."""
    part = target.with_name(f"{target.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _part(name: str) -> str:
    if "/" in name or name in {"", ".", ".."}:
        raise ServiceError(0, f"{name!r} cannot be the name of anything there")
    return quote(name, safe="")


def _opened(stack: ExitStack | AsyncExitStack, path: Path) -> IO[bytes]:
    return stack.enter_context(path.open("rb"))
