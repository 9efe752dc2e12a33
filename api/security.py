"""Access checks: host, origin and API key. docs/security.md gives the reasons."""

import math
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency
from starlette.requests import HTTPConnection

from api.keys import ANYONE, Key, Keys, Scope
from api.limits import RateLimit
from api.problems import Refusal
from api.settings import Settings

PROBES = frozenset(("/livez", "/readyz"))  # open to everyone, under any host name
SIGN_IN = "/v1/session"
SHELL = frozenset(("/", SIGN_IN))  # the page before sign-in: code, no data
COOKIE = "polylens"
LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))


class InsecureSettings(ValueError):
    """Settings that would open an installation to others without a key."""


class Policy:
    """Decides whether a request may go on."""

    def __init__(self, settings: Settings) -> None:
        """Raises `InsecureSettings` where the service would be open beyond this machine."""
        self._local = is_loopback(settings.host)
        self.keys = Keys(settings.api_keys, settings.data)
        if not self._local and not self.keys.required:
            raise InsecureSettings(
                f"host {settings.host} can be reached from other machines, so an API key is "
                "needed: create one with `polylens keys add NAME`, or bind to 127.0.0.1"
            )
        self._allowed = frozenset(host.lower() for host in settings.allowed_hosts)
        self._guesses = RateLimit(rate=0.5, burst=20)
        rate = settings.rate_limit
        self._limit = RateLimit(rate, burst=max(10.0, 2 * rate)) if rate else None

    def check(self, request: HTTPConnection) -> Key | None:
        """Who calls, None before sign-in. Raises the `Refusal` that a request deserves."""
        path = request.scope["path"]
        if path in PROBES:
            return None
        self._check_host(request)
        self._check_origin(request)
        key = self.caller(request)
        if path in SHELL or path.startswith("/static/"):
            return key
        if key is None:
            raise self._unknown(request)
        self._check_rate(key, request)
        return key

    def caller(self, request: HTTPConnection) -> Key | None:
        """Whose key, or cookie, came with the request."""
        if self._local and not self.keys.required:
            return ANYONE
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        key = self.keys.find(text.strip()) if scheme.lower() == "bearer" else None
        return key or self.keys.of_session(request.cookies.get(COOKIE, ""))

    def count_guess(self, request: HTTPConnection) -> None:
        """A key that nobody has was sent; raises `Refusal` (429) where that happens too often."""
        if wait := self._guesses.wait(_address(request)):
            raise _too_often(wait)

    def _unknown(self, request: HTTPConnection) -> Refusal:
        if "authorization" in request.headers:
            self.count_guess(request)
            return unknown_key()
        return unknown_caller()

    def _check_rate(self, key: Key, request: HTTPConnection) -> None:
        caller = key.digest or _address(request)
        if self._limit and (wait := self._limit.wait(caller)):
            raise _too_often(wait)

    def _check_host(self, request: HTTPConnection) -> None:
        """A name that is not ours is how DNS rebinding looks from here."""
        named = request.headers.getlist("host")
        host = host_name(named[0]) if len(named) == 1 else ""  # a proxy may go by another of them
        if host in self._allowed or host in LOOPBACK_NAMES:
            return
        if not self._local and _is_address(host):  # rebinding needs a name
            return
        raise Refusal(
            421,
            "unknown-host",
            "this service does not answer to that host name: see the setting allowed_hosts",
        )

    def _check_origin(self, request: HTTPConnection) -> None:
        """Other sites may link here, but neither call the API nor embed what it shows."""
        headers = request.headers
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin, headers.get("host", "")):
            raise Refusal(403, "foreign-origin", "requests from other sites are refused")
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if origin is None and foreign and headers.get("sec-fetch-mode") != "navigate":
            raise Refusal(403, "foreign-origin", "this cannot be embedded by other sites")

    def _is_own(self, origin: str, host: str) -> bool:
        try:
            authority = urlsplit(origin).netloc.lower()
        except ValueError:
            return False
        return bool(authority) and (
            authority == host.lower() or host_name(authority) in self._allowed
        )


def requires(scope: Scope) -> Dependency:
    """A route's dependency: callers whose key lacks `scope` are refused (403)."""

    async def check(request: Request) -> None:  # a plain function would go to a thread
        key: Key | None = request.state.caller
        if key is None or not key.may(scope):
            raise Refusal(403, "key-may-not", f"this needs a key with the scope {scope!r}")

    dependency: Dependency = Depends(check)
    return dependency


def unknown_caller() -> Refusal:
    """The answer to who sends no key that is known."""
    return Refusal(
        401,
        "key-required",
        "send an API key: Authorization: Bearer KEY",
        {"WWW-Authenticate": "Bearer"},
    )


def unknown_key() -> Refusal:
    """The answer to who sends another key than those there are."""
    return Refusal(
        401,
        "unknown-key",
        "this key is not known here, or not sent as Authorization: Bearer KEY",
        {"WWW-Authenticate": "Bearer"},
    )


def is_loopback(host: str) -> bool:
    """Whether an address to bind to can be reached from this machine alone."""
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def host_name(authority: str) -> str:
    """The host of `host`, `host:port` or `[v6]:port`, in lower case."""
    try:
        return (urlsplit(f"//{authority}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _address(request: HTTPConnection) -> str:
    return request.client.host if request.client else ""


def _too_often(wait: float) -> Refusal:
    return Refusal(
        429, "too-often", "too many requests: slow down", {"Retry-After": str(math.ceil(wait))}
    )
