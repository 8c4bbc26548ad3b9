"""The service registry of a running app: services by type."""

from typing import TypeVar, cast

from flask import Flask, current_app

T = TypeVar("T")
_KEY = "borderpost"


def register_service(app: Flask, service: object, *, as_type: type | None = None) -> None:
    """Register a service under its own type, or under the protocol it implements."""
    app.extensions.setdefault(_KEY, {})[as_type or type(service)] = service


def get_service(wanted: type[T]) -> T:
    """Return the service of a type; asking for one that was never provided is a defect."""
    return cast("T", current_app.extensions[_KEY][wanted])
