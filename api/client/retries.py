"""When a request is made again."""

import random
import time

import httpx

from api.refusal import ServiceError

BUSY = frozenset({429, 503})
FIRST_WAIT = 0.2
"""Seconds before the second attempt; doubled each time, and never less than Retry-After asks."""
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Retries:
    """How long to wait before each further attempt, while `patience` seconds last."""

    def __init__(self, patience: float, *, once: bool = False) -> None:
        """What is to be done only `once` is not tried again where it may have arrived."""
        self._until = time.monotonic() + patience
        self._wait = FIRST_WAIT
        self._once = once

    def after(self, answer: httpx.Response | httpx.TransportError) -> float:
        """Seconds to wait; raises `ServiceError` where trying again is of no use."""
        if isinstance(answer, httpx.Response):
            if answer.status_code not in BUSY:
                raise _refused(answer)
            asked = answer.headers.get("retry-after", "")
            wait = max(self._wait, float(asked) if asked.isdigit() else 0)
        else:
            if self._once and not isinstance(answer, NOT_SENT):
                raise _in_doubt(answer) from answer
            wait = self._wait
        wait *= 1 + random.random() / 4  # noqa: S311 - so that clients do not come back together
        if time.monotonic() + wait > self._until:
            if isinstance(answer, httpx.Response):
                raise _refused(answer)
            raise ServiceError(0, f"the service cannot be reached: {answer}") from answer
        self._wait *= 2
        return wait


def _in_doubt(error: httpx.TransportError) -> ServiceError:
    return ServiceError(
        0,
        f"the connection broke off before the answer came ({type(error).__name__}): look whether "
        "it was done before you ask again",
    )


def _refused(response: httpx.Response) -> ServiceError:
    try:
        body = response.json()
        detail = body["detail"] if "detail" in body else body["error"]["message"]
    except (ValueError, KeyError, TypeError):
        detail = response.reason_phrase
    return ServiceError(response.status_code, str(detail))
