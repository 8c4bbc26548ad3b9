"""Where a request comes from: the address of the direct peer.

Headers in which a proxy names somebody else are trusted for nothing: everybody can write them.
"""

import ipaddress

from flask import request

_NETWORK_BITS = 64


def peer_address() -> str:
    """Return the address that the request came from; of a local socket: "local"."""
    return request.remote_addr or "local"


def address_group(address: str) -> str:
    """Return what one subscriber can change at will: an IPv4 address, or an IPv6 network of /64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))
    return str(found)
