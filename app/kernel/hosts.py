"""Names and addresses of hosts. Pure."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host, as in a URL, is this machine; no name is looked up."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
