"""Valid webhook URLs and permitted network addresses. Pure.

The refused ranges are those of microsoft-antissrf, and every IPv6 address that is not global
unicast. That package's session has no limit for a whole exchange, so it is not used.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from AntiSSRF import IPAddressRanges

MAX_URL_CHARS = 2000
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)
_DEFAULT_PORTS = {"https": 443, "http": 80}
_REFUSED = [ipaddress.ip_network(network) for network in IPAddressRanges.recommended_latest]
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_LOCALHOST = "localhost"
# System resolvers read such hosts as addresses: 2130706433 and 0x7f.1 are 127.0.0.1.
_ENDS_IN_NUMBER = re.compile(r"(\A|\.)([0-9]+|0x[0-9a-f]*)\.?\Z")

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    scheme: str
    host: str
    port: int
    path: str

    @property
    def is_tls(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


class UrlRefused(ValueError):
    """The text is the reason."""


def read_url(url: str, *, allow_loopback: bool) -> Target:
    """Raises `UrlRefused`."""
    if not _PRINTABLE.fullmatch(url) or len(url) > MAX_URL_CHARS:
        raise UrlRefused(f"Must be a URL of 1 to {MAX_URL_CHARS} ASCII characters without spaces.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as problem:
        raise UrlRefused("Must be a URL with a host and, at most, a port.") from problem
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or port == 0:
        raise UrlRefused("Must be an https URL with a host.")
    if "@" in parts.netloc or "#" in url:
        raise UrlRefused("Must hold no user, password or fragment.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    target = Target(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme], path)
    _check_host(target, allow_loopback=allow_loopback)
    return target


def _check_host(target: Target, *, allow_loopback: bool) -> None:
    literal = _ip(target.host)
    if literal is None and _ENDS_IN_NUMBER.search(target.host):
        raise UrlRefused("Must name a host, or an address in its usual form.")
    is_loopback = target.host == _LOCALHOST if literal is None else literal.is_loopback
    if not target.is_tls and not (allow_loopback and is_loopback):
        raise UrlRefused("Must be an https URL.")
    is_refused = is_loopback and not allow_loopback
    if literal is not None:
        is_refused = not may_reach(target.host, target, allow_loopback=allow_loopback)
    if is_refused:
        raise UrlRefused("Must not name a private, local or reserved address.")


def may_reach(address: str, target: Target, *, allow_loopback: bool) -> bool:
    found = _ip(address)
    if found is None:
        return False
    if found.is_loopback:
        return allow_loopback
    if not target.is_tls:
        return False
    if found.version == _GLOBAL_UNICAST.version and found not in _GLOBAL_UNICAST:
        return False
    return not any(found in network for network in _REFUSED)


def _ip(text: str) -> _Ip | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
