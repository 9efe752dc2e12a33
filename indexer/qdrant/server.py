"""The only module that calls Qdrant: retries with jitter, and translates its errors."""

import os
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import grpc
import httpx
from qdrant_client import QdrantClient
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from indexer.checks import check_folder
from indexer.errors import (
    BackendUnavailable,
    CollectionExists,
    IndexerError,
    StorageError,
    UnknownCollection,
)
from indexer.qdrant.options import Patience

T = TypeVar("T")

_TRANSIENT = {408, 429, 500, 502, 503, 504}
_GRPC_STATUS = {
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.CANCELLED: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.UNAVAILABLE: 503,
}
_REMOTE_FAILURES = (
    ResponseHandlingException,
    UnexpectedResponse,
    ResourceExhaustedResponse,
    grpc.RpcError,
)
_LOCAL_FAILURES = (ValueError, OSError)


class Server:
    """Qdrant at a URL, or qdrant-client's own engine: in memory (`:memory:`) or in a folder.

    Safe from any thread; at a URL, also in forked children.
    """

    def __init__(
        self,
        location: str,
        *,
        api_key: str | None = None,
        prefer_grpc: bool = False,
        patience: Patience | None = None,
    ) -> None:
        self.location = location
        self.is_local = "://" not in location
        if self.is_local:
            check_folder(location)
        self._api_key = api_key
        self._prefer_grpc = prefer_grpc
        self._patience = patience or Patience()
        self._failures = _LOCAL_FAILURES if self.is_local else _REMOTE_FAILURES
        self._lock = threading.RLock()
        self._process = os.getpid()
        self._client = self._connect()

    def call(self, doing: str, method: Callable[[QdrantClient], T]) -> T:
        """Run a call that may be repeated without harm; `doing` completes "could not ...".

        Raises `BackendUnavailable` after the last attempt, and at once `UnknownCollection`,
        `CollectionExists`, or `StorageError` where the server will not have the call at all.
        """
        attempt = 0
        while True:
            try:
                return self._once(method)
            except self._failures as error:
                status = _status(error)
                attempt += 1
                if status not in _TRANSIENT or attempt == self._patience.attempts:
                    raise self._failure(doing, status, error, attempt) from error
                time.sleep(self._pause(attempt, error))

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _once(self, method: Callable[[QdrantClient], T]) -> T:
        if self.is_local:
            # The engine in this process knows no threads.
            with self._lock:
                return method(self._client)
        if self._process != os.getpid():
            # A connection that two processes write to is of use to neither.
            self._client, self._process = self._connect(), os.getpid()
        return method(self._client)

    def _connect(self) -> QdrantClient:
        if self.location == ":memory:":
            return QdrantClient(":memory:")
        if self.is_local:
            try:
                return QdrantClient(path=self.location)
            except (OSError, RuntimeError) as error:
                raise StorageError(f"could not open {self.location}: {error}") from error
        return QdrantClient(
            url=self.location,
            api_key=self._api_key,
            prefer_grpc=self._prefer_grpc,
            timeout=self._patience.timeout,
            check_compatibility=False,  # it would ask before there is anybody to handle a refusal
        )

    def _pause(self, attempt: int, error: Exception) -> float:
        asked = error.retry_after_s if isinstance(error, ResourceExhaustedResponse) else 0
        longest = self._patience.longest_pause
        # Random, so that the many who were refused together do not come back together.
        pause = random.uniform(0, min(longest, self._patience.pause * 2**attempt))  # noqa: S311
        return max(pause, min(longest, asked))

    def _failure(self, doing: str, status: int, error: Exception, attempts: int) -> IndexerError:
        where = f"could not {doing} in Qdrant at {self.location}"
        if status == 404:
            return UnknownCollection(f"{where}: it is not there")
        if status == 409:
            return CollectionExists(f"{where}: it exists already")
        if status in {401, 403}:
            return BackendUnavailable(f"{where}: it refused the API key; check qdrant_api_key")
        if status in _TRANSIENT:
            return BackendUnavailable(
                f"{where}, tried {attempts} times: {_words(error)}. Check that the server runs, "
                "that the URL and port are right, and that its disk and memory are not full"
            )
        return StorageError(f"{where}: {_words(error)}")


def _status(error: Exception) -> int:
    """The HTTP status that says what went wrong; 503 where there was no answer at all."""
    if isinstance(error, UnexpectedResponse):
        return error.status_code or 0
    if isinstance(error, ResourceExhaustedResponse):
        return 429
    if isinstance(error, ResponseHandlingException):
        return 503 if isinstance(error.source, httpx.TransportError) else 0
    if isinstance(error, grpc.RpcError):
        return _GRPC_STATUS.get(error.code(), 0)
    if "already exists" in str(error):
        return 409
    return 404 if "not found" in str(error) else 0


def _words(error: Exception) -> str:
    """What the server said, on one line, or the kind of error where nothing was said."""
    if isinstance(error, grpc.RpcError):
        return str(error.details())
    if isinstance(error, ResponseHandlingException):
        error = error.source
    return " ".join(str(error).split())[:300] or type(error).__name__
