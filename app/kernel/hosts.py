"""Names and addresses of hosts. Pure."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host, as in a URL, is this machine; no name is looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
