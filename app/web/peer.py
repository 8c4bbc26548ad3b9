"""The address of the direct peer; forwarding headers are ignored, as clients can set them."""

import ipaddress

from flask import request

_NETWORK_BITS = 64


def peer_address() -> str:
    """Return the address of the peer; "local" for a local socket."""
    return request.remote_addr or "local"


def address_group(address: str) -> str:
    """Return the range of one subscriber: an IPv4 address, or an IPv6 /64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _NETWORK_BITS), strict=False))
    return str(found)
