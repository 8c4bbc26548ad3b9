"""What is alike in all gateways of a test process: building it anew is most of what one costs."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask
from sqlalchemy.util import LRUCache

# By the name of a blueprint; those of the app itself are under None.
_BY_BLUEPRINT = (
    *("error_handler_spec", "before_request_funcs", "after_request_funcs"),
    *("teardown_request_funcs", "template_context_processors"),
)


def shared_registration() -> Callable[..., None]:
    """Return a `Flask.register_blueprint` that gives later gateways the routes of the first."""
    register = Flask.register_blueprint
    first: list[Flask] = []
    kept: dict[str, Any] = {}

    def register_once(app: Flask, blueprint: Blueprint, **options: Any) -> None:
        if app.name != "borderpost":
            register(app, blueprint, **options)
        elif not first or first[0] is app:
            first[:] = [app]
            register(app, blueprint, **options)
            for name in ("view_functions", "blueprints", *_BY_BLUEPRINT):
                kept[name] = dict(getattr(app, name))
        elif app.url_map is not first[0].url_map:
            app.url_map = first[0].url_map
            app.view_functions = dict(kept["view_functions"])
            app.blueprints = dict(kept["blueprints"])
            for name in _BY_BLUEPRINT:
                of_blueprints = {of: found for of, found in kept[name].items() if of is not None}
                getattr(app, name).update(of_blueprints)

    return register_once


class SharedStatements(LRUCache[Any, Any]):
    """Compiled statements of all engines: the dialect's kind stands for the dialect."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get((type(key[0]), *key[1:]), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__((type(key[0]), *key[1:]), value)
