"""Giving a running gateway other parts, and asking for a client of its own for each thread."""

from dataclasses import replace
from typing import Any

from app.web.registry import register_service
from support.factories import Gateway


def replace_services(gateway: Gateway, **changes: Any) -> None:
    """Give the send operation another provider, pace or bound."""
    send = replace(gateway.services.send, **changes)
    gateway.services = replace(gateway.services, send=send)
    register_service(gateway.client.application, send)


def another_client(gateway: Gateway) -> Gateway:
    """The same gateway for another thread, or for a request made during a request."""
    return replace(gateway, client=gateway.client.application.test_client())
