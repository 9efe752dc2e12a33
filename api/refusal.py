"""The error that clients of a service raise when it refuses a request."""


class ServiceError(Exception):
    """The service refused or failed; `status` is 0 where it did not answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
