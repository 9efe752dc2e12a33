"""Who may call: the host and origin named, and the key shown. Reasons are in docs/security.md."""

import hashlib
import hmac
import os
import re
import secrets
import time
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from api.problems import Refusal
from api.settings import Settings

PROBES = frozenset(("/livez", "/readyz"))  # open to everyone, under any host name
SHELL = frozenset(("/", "/v1/session"))  # the page before sign-in: code, no data
COOKIE = "polylens"
SESSION_SECONDS = 30 * 24 * 3600
LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))


class InsecureSettings(ValueError):
    """Settings that would open an installation to others without a key."""


class Policy:
    """Decides whether a request may go on."""

    def __init__(self, settings: Settings) -> None:
        """Raises `InsecureSettings` where the service would be open beyond this machine."""
        self._local = is_loopback(settings.host)
        if not self._local and not settings.api_keys:
            raise InsecureSettings(
                f"host {settings.host} can be reached from other machines, so API keys are needed: "
                "set api_keys to the SHA-256 digest of a key, or bind to 127.0.0.1"
            )
        self._allowed = frozenset(host.lower() for host in settings.allowed_hosts)
        self.keys = Keys(settings.api_keys, settings.data / "session.secret")

    def check(self, request: HTTPConnection) -> None:
        """Raises the `Refusal` that a request deserves."""
        path = request.scope["path"]
        if path in PROBES:
            return
        self._check_host(request)
        self._check_origin(request)
        if path not in SHELL and not path.startswith("/static/") and not self.knows(request):
            raise Refusal(
                401,
                "key-required",
                "send an API key: Authorization: Bearer KEY",
                {"WWW-Authenticate": "Bearer"},
            )

    def knows(self, request: HTTPConnection) -> bool:
        """Whether no key is needed, or a good one (or its cookie) came with the request."""
        if not self.keys.required:
            return True
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.keys.accepts(key.strip()):
            return True
        return self.keys.accepts_session(request.cookies.get(COOKIE, ""))

    def _check_host(self, request: HTTPConnection) -> None:
        """A name that is not ours is how DNS rebinding looks from here."""
        host = host_name(request.headers.get("host", ""))
        if host in self._allowed or host in LOOPBACK_NAMES:
            return
        if not self._local and _is_address(host):  # rebinding needs a name
            return
        raise Refusal(
            421,
            "unknown-host",
            "this service does not go by that name: see the setting allowed_hosts",
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


class Keys:
    """API keys, known by their SHA-256 digests, and the browser sessions opened with them.

    A session is a signed note of which key opened it and until when; removing the key ends it, and
    so does removing the secret's file.
    """

    def __init__(self, digests: list[str], secret_file: Path) -> None:
        self._digests = [digest.lower() for digest in digests]
        self._secret_file = secret_file

    @property
    def required(self) -> bool:
        return bool(self._digests)

    def accepts(self, key: str) -> bool:
        return self._find(key) is not None

    def open_session(self, key: str) -> str | None:
        """A cookie value for a good key, None for another."""
        digest = self._find(key)
        if digest is None:
            return None
        note = f"{digest[:16]}.{int(time.time()) + SESSION_SECONDS}"
        return f"{note}.{self._sign(note)}"

    def accepts_session(self, cookie: str) -> bool:
        match = re.fullmatch(r"(([0-9a-f]{16})\.(\d{1,12}))\.([0-9a-f]{64})", cookie)
        if not match:
            return False
        note, key, until, signature = match.groups()
        known = any(digest.startswith(key) for digest in self._digests)
        return (
            known and time.time() < int(until) and hmac.compare_digest(signature, self._sign(note))
        )

    def _find(self, key: str) -> str | None:
        digest = hashlib.sha256(key.encode()).hexdigest()
        return next((known for known in self._digests if hmac.compare_digest(known, digest)), None)

    def _sign(self, note: str) -> str:
        return hmac.new(_secret(self._secret_file), note.encode(), hashlib.sha256).hexdigest()


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


def _secret(file: Path) -> bytes:
    """The secret of this installation; made on first use, complete before it has its name."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(secrets.token_bytes(32))
        try:
            os.link(draft, file)
        except FileExistsError:
            pass  # another process was first
        finally:
            draft.unlink()
    return file.read_bytes()
