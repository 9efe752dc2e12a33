"""ETags: whether a client already has what it asks for (RFC 9110, section 13.1.2)."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response


def not_modified(request: Request, headers: Mapping[str, str]) -> Response | None:
    """The 304 where `If-None-Match` names the `ETag` of `headers`; None otherwise."""
    given = request.headers.get("if-none-match")
    if given is None:
        return None
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return Response(status_code=304, headers=headers) if {headers["ETag"], "*"} & tags else None
