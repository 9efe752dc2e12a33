"""The guard of every fetch by URL and of paths: what others may have the service read.

A server that fetches any URL can be made to read its own network (SSRF). So a host must be listed,
its resolved addresses are checked, and the connection goes to the checked address. Redirects are
checked from the start.
"""

import ipaddress
import os
import socket
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from ingestion.errors import MediaError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")
UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out for public use."""
LOOKED_AT = frozenset(("http", "https"))
"""Schemes whose connections go to addresses that were looked at."""
BUCKETS = frozenset(("s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci"))
"""Schemes whose host is the name of a bucket, and leads to its provider."""


class NotAllowed(MediaError):
    """A URL that may not be fetched; the text says what would allow it."""


@dataclass(frozen=True)
class Reach:
    """What may be fetched.

    `hosts` are names, addresses or globs (`*.example.com`; `*` is any); by default there are none.
    Those in `private` may also lie at addresses that are not public. `folders` are resolved, and
    hold, links followed, whatever is read of this machine; None where who names the sources could
    read everything here by hand. Then the URLs of sources, too, are fetched from wherever they are.
    """

    hosts: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    folders: tuple[Path, ...] | None = None

    @property
    def trusts_sources(self) -> bool:
        """Whether what is named as a source may be anywhere."""
        return self.folders is None

    def allows(self, path: Path) -> bool:
        """Whether a file or folder of this machine may be read."""
        if self.folders is None:
            return True
        real = Path(os.path.realpath(path))  # `resolve` raises where links go round in circles
        return any(real.is_relative_to(folder) for folder in self.folders)

    def check_path(self, path: Path) -> None:
        """Raises `NotAllowed` where a file or folder may not be read."""
        if not self.allows(path):
            raise NotAllowed("it leads outside the folders that may be read: see the setting roots")

    def check(self, url: str) -> SplitResult:
        """The parts of a URL that may be fetched; raises `NotAllowed`."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise NotAllowed(f"not a URL: {error}") from error
        if not host or parts.username is not None:
            raise NotAllowed("a URL must have a host and no user")
        if not _is_among(host, self.hosts):
            raise NotAllowed(f"URLs of {host} may not be fetched: {self._remedy(host)}")
        if parts.scheme not in LOOKED_AT | BUCKETS and not _is_among(host, self.private):
            raise NotAllowed(
                f"{parts.scheme} URLs are fetched only from hosts in fetch_private_hosts, because "
                "their addresses cannot be checked"
            )
        return parts

    def addresses(self, host: str, port: int) -> list[str]:
        """Where a host may be connected to; raises `NotAllowed` where any address is private."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise MediaError(f"there is no host {host}") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        private = [address for address in addresses if not _is_public(address)]
        if private and not _is_among(host, self.private):
            raise NotAllowed(f"{host} has the address {private[0]}, which is not public")
        return addresses

    def _remedy(self, host: str) -> str:
        by_hand = f"--fetch-hosts {host} allows it"
        return by_hand if self.trusts_sources else "see the setting fetch_hosts"


def is_address(host: str) -> bool:
    """Whether a host is named by its address, so that no name can lead elsewhere later."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_among(host: str, patterns: tuple[str, ...]) -> bool:
    name = host.lower().rstrip(".")
    return any(fnmatchcase(name, pattern.lower().rstrip(".")) for pattern in patterns)


def _is_public(text: str) -> bool:
    address = _unwrapped(ipaddress.ip_address(text.partition("%")[0]))
    if isinstance(address, ipaddress.IPv6Address) and address not in UNICAST:
        return False
    return address.is_global and not address.is_multicast


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
