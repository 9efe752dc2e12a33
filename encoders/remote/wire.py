"""HTTP calls to another installation: retries, and its errors translated to ours."""

import random
import time
import weakref
from typing import Any

import httpx

from encoders.errors import EncoderUnavailable, InvalidInput, ModelUnavailable

BUSY = frozenset((429, 502, 503, 504))
TRIES = 4
FIRST_PAUSE = 0.2  # seconds; doubled each time, and never less than Retry-After asks
LONGEST_PAUSE = 5.0
TIMEOUT = httpx.Timeout(120.0, connect=5.0)


class Wire:
    """To one URL and nowhere else: no proxies, no redirects. Safe to use from many threads."""

    def __init__(self, url: str, key: str | None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.url = url.rstrip("/")
        self._http = httpx.Client(headers=headers, timeout=TIMEOUT, trust_env=False)
        weakref.finalize(self, self._http.close)

    def call(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        """The JSON of the answer.

        Raises `EncoderUnavailable` where it stays away or busy, `ModelUnavailable` where it will
        not do, `InvalidInput` for what it refuses, and `RuntimeError` where it fails.
        """
        answer = self._patiently(method, path, body)
        if answer.status_code != 200:
            raise self._error(answer)
        try:
            return dict(answer.json())
        except (ValueError, TypeError):
            raise ModelUnavailable(f"{self.url} is not a polylens server") from None

    def _patiently(self, method: str, path: str, body: bytes | None) -> httpx.Response:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        pause = FIRST_PAUSE
        for left in reversed(range(TRIES)):
            try:
                answer = self._http.request(method, self.url + path, content=body, headers=headers)
            except httpx.InvalidURL as error:
                raise ModelUnavailable(f"{self.url} is not a URL: {error}") from error
            except httpx.TransportError as error:
                reason, asked = f"cannot be reached: {error or type(error).__name__}", ""
            else:
                if answer.status_code not in BUSY:
                    return answer
                reason = f"is busy or not ready: {_detail(answer)}"
                asked = answer.headers.get("retry-after", "")
            if left:
                wait = max(pause, float(asked) if asked.isdigit() else 0)
                time.sleep(min(wait, LONGEST_PAUSE) * (1 + random.random() / 4))  # noqa: S311
                pause *= 2
        raise EncoderUnavailable(f"the encoder at {self.url} {reason}")

    def _error(self, answer: httpx.Response) -> Exception:
        status = answer.status_code
        if status in (401, 403):
            return ModelUnavailable(
                f"the encoder at {self.url} wants a key that it knows: set encoder_key "
                f"({_detail(answer)})"
            )
        if answer.is_redirect:
            return ModelUnavailable(f"{self.url} redirects to elsewhere, which is not followed")
        if status == 404:
            return ModelUnavailable(f"{self.url} is not a polylens server that shares its encoder")
        if 400 <= status < 500:
            return InvalidInput(f"the encoder at {self.url} refused it: {_detail(answer)}")
        return RuntimeError(f"the encoder at {self.url} failed: {_detail(answer)}")


def _detail(answer: httpx.Response) -> str:
    try:
        body = answer.json()
        return str(body["detail"] if "detail" in body else body["error"]["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
