"""Names and addresses of hosts. Pure."""

import ipaddress
import re

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)


def is_loopback(host: str) -> bool:
    """Whether a host, as in a URL, is this machine; no name is looked up."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def is_host(text: str) -> bool:
    """Whether it is an address or a DNS name."""
    if ":" in text or text.rpartition(".")[2].isdecimal():
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
        return True
    return _NAME.fullmatch(text) is not None
