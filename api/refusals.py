"""The error responses of a route, for the OpenAPI document."""

from typing import Any

TYPE = "application/problem+json"
OPENAI_TYPE = "application/json"

REASONS = {
    400: "A body, a form or a range that cannot be read.",
    401: "No key, or an unknown one.",
    403: "The key may not, the request comes from another site, or the file may not be served.",
    404: "There is no such thing.",
    408: "The body did not arrive in time.",
    409: "Taken, or made by another encoder, another version or on another engine.",
    410: "The original changed or vanished.",
    413: "Larger, or more, than the limit.",
    415: "A content type, or a kind of file, that is not taken.",
    416: "A range beyond the file.",
    421: "A host name that this service does not go by.",
    422: "A field that does not fit; `errors` says where.",
    429: "Too much waits, or this key asks too often; `Retry-After` says when to come back.",
    500: "A fault here; the log has it under the request id.",
    501: "No model is set up for this.",
    502: "The chat server behind this one failed.",
    507: "The disk is full; nothing of it was stored.",
    503: "Busy, or the model or Qdrant is away; `Retry-After` says when to come back.",
}
BAD_RANGES: dict[int | str, dict[str, Any]] = {
    status: {"content": {"text/plain": {}}, "description": words}
    for status, words in ((400, "A range that cannot be read."), (416, REASONS[416]))
}
"""Of files that are sent in ranges, which the framework answers itself."""


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the `responses` of a route: problem details under each status."""
    content = {TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": REASONS[status], "content": content} for status in statuses}
