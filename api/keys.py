"""API keys, stored as SHA-256 digests: their scopes, and the sessions opened with them."""

import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from indexer.installation import FILE, open_installation

Scope = Literal["read", "write", "admin"]
"""Each includes the ones before it."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
SESSION_SECONDS = 30 * 24 * 3600
CONFIGURED = "settings"
"""Name of every key whose digest the settings hold; such keys may do everything."""

_TABLE = """CREATE TABLE IF NOT EXISTS api_key (
    digest TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, scope TEXT NOT NULL, created TEXT NOT NULL
)"""


@dataclass(frozen=True)
class Key:
    """Who calls. `digest` is the SHA-256 of the key in hex."""

    digest: str
    name: str
    scope: Scope

    def may(self, scope: Scope) -> bool:
        """Whether the key includes that scope."""
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


ANYONE = Key("", "anyone", "admin")
"""The caller where no keys are needed: on loopback, with none made."""


class NameTaken(ValueError):
    """Two keys cannot have one name."""


class Keys:
    """The keys of one installation: digests in the settings, and those made by `polylens keys`.

    A key that is added or revoked counts from the next request on, in every process. A session is
    a signed note of which key opened it and until when; revoking the key ends it, and so does
    removing the secret's file.
    """

    def __init__(self, configured: Sequence[str], data: Path) -> None:
        self._configured = [Key(digest.lower(), CONFIGURED, "admin") for digest in configured]
        self._data = data
        self._secret_file = data / "session.secret"
        self._stored: tuple[object, list[Key]] = (None, [])

    @property
    def required(self) -> bool:
        """Whether there are any."""
        return bool(self.all())

    def all(self) -> list[Key]:
        """Every key, those of the settings first."""
        state = self._state()
        if self._stored[0] != state:
            self._stored = (state, self._read() if state else [])
        return [*self._configured, *self._stored[1]]

    def find(self, key: str) -> Key | None:
        """The key of that text."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        return next((k for k in self.all() if hmac.compare_digest(k.digest, digest)), None)

    def add(self, name: str, scope: Scope) -> str:
        """Make a key and return its text, which is kept nowhere. Raises `NameTaken`."""
        if name == CONFIGURED or name in (key.name for key in self.all()):
            raise NameTaken(f"a key is already called {name!r}")
        text = secrets.token_urlsafe(32)
        digest = hashlib.sha256(text.encode()).hexdigest()
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with open_installation(self._data) as db, db:
            db.execute(_TABLE)
            db.execute("INSERT INTO api_key VALUES (?, ?, ?, ?)", (digest, name, scope, created))
        return text

    def revoke(self, name: str) -> bool:
        """Forget the key of that name; whether there was one."""
        with open_installation(self._data) as db, db:
            db.execute(_TABLE)
            return db.execute("DELETE FROM api_key WHERE name = ?", (name,)).rowcount > 0

    def open_session(self, text: str) -> str | None:
        """A cookie value for a good key, None for another."""
        key = self.find(text)
        if key is None:
            return None
        note = f"{key.digest[:16]}.{int(time.time()) + SESSION_SECONDS}"
        return f"{note}.{self._sign(note)}"

    def of_session(self, cookie: str) -> Key | None:
        """The key that a cookie was traded for, while both are good."""
        match = re.fullmatch(r"(([0-9a-f]{16})\.(\d{1,12}))\.([0-9a-f]{64})", cookie)
        if not match:
            return None
        note, start, until, signature = match.groups()
        key = next((key for key in self.all() if key.digest.startswith(start)), None)
        if key is None or time.time() >= int(until):
            return None
        return key if hmac.compare_digest(signature, self._sign(note)) else None

    def _state(self) -> object:
        """What changes whenever the database does; None where there is none."""
        try:
            status = (self._data / FILE).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self) -> list[Key]:
        with open_installation(self._data) as db:
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'api_key'").fetchone():
                return []
            rows = db.execute("SELECT digest, name, scope FROM api_key ORDER BY name")
            return [Key(*row) for row in rows]

    def _sign(self, note: str) -> str:
        return hmac.new(_secret(self._secret_file), note.encode(), hashlib.sha256).hexdigest()


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
