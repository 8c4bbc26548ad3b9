"""The service registry of an app: services by type."""

from typing import TypeVar, cast

from flask import Flask, current_app

T = TypeVar("T")
_KEY = "borderpost"


def register_service(app: Flask, service: object, *, as_type: type | None = None) -> None:
    """``as_type`` is a protocol that the service implements."""
    app.extensions.setdefault(_KEY, {})[as_type or type(service)] = service


def get_service(wanted: type[T]) -> T:
    return cast("T", current_app.extensions[_KEY][wanted])
