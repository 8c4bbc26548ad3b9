"""The Flask application: routes, services, error handlers. No feature imports it."""

from itertools import product
from urllib.parse import urlsplit

from flask import Flask
from jinja2 import ChoiceLoader, PackageLoader

from app.access.api import audit_routes, routes as access_key_routes
from app.access.guard import install_key_limits
from app.bootstrap import PROVIDER_ROUTES, Services
from app.console.site import CONSOLE_ASSETS, CONSOLE_ROUTES, install_console
from app.destinations.api.configuration import routes as destination_routes
from app.destinations.api.policy import routes as policy_routes
from app.guards.alerts_api import routes as alert_routes
from app.guards.api import routes as guard_routes
from app.guards.limits import GuardMode, GuardName
from app.kernel.errors import ProviderMisconfigured
from app.messages.api import routes as messages_routes
from app.messages.usage import count_unsettled
from app.messages.usage_api import routes as usage_routes
from app.tenancy.api import routes as tenancy_routes
from app.tracing import install_tracing, is_wanted
from app.use_cases.api import opt_out_routes, routes as use_case_routes
from app.web.assets import VENDORED, install_assets, routes as asset_routes
from app.web.dispatch import App
from app.web.errors import install_error_handlers
from app.web.health import routes as health_routes
from app.web.metrics import DELIVERIES_DUE, GUARD_TRIPS, SENDS, UNCONFIRMED, StoredFigures
from app.web.openapi import DOCS, Description, docs_routes, front, routes as openapi_routes
from app.web.registry import register_service
from app.web.requests import PrefixMiddleware, PublicPrefix, install_request_handling
from app.web.routes import Endpoint
from app.webhooks.api import routes as webhook_endpoint_routes
from app.webhooks.claims import count_due

ROUTES = (
    messages_routes,
    usage_routes,
    destination_routes,
    policy_routes,
    guard_routes,
    alert_routes,
    tenancy_routes,
    use_case_routes,
    opt_out_routes,
    webhook_endpoint_routes,
    access_key_routes,
    audit_routes,
    PROVIDER_ROUTES,
    health_routes,
    openapi_routes,
    docs_routes,
    front,
    asset_routes,
)
ASSET_FOLDERS = (VENDORED, DOCS, CONSOLE_ASSETS)
TEMPLATES = ("app.web",)


def declared_endpoints() -> list[Endpoint]:
    """List every route, in the order of the API's description."""
    return [endpoint for routes in (*ROUTES, *CONSOLE_ROUTES) for endpoint in routes.endpoints]


def create_app(services: Services) -> Flask:
    app = App("borderpost", static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.secret_key = services.settings.secret_key
    for service in services.all():
        register_service(app, service)
    public_url = services.settings.public_url
    figures = ((UNCONFIRMED, count_unsettled), (DELIVERIES_DUE, count_due))
    register_service(app, StoredFigures(figures))
    # Alerts ask for the first one of each: without a zero before it, Prometheus sees no rise.
    SENDS.labels(ProviderMisconfigured.__name__)
    for guard, mode in product(GuardName, (GuardMode.ENFORCE, GuardMode.MONITOR)):
        GUARD_TRIPS.labels(guard.value, mode.value)
    register_service(app, Description(declared_endpoints(), public_url))
    for place, routes in enumerate(ROUTES):
        app.register_blueprint(routes.blueprint(), name=f"{place}_{routes.tag}")
    prefix = urlsplit(public_url).path.rstrip("/")
    register_service(app, PublicPrefix(prefix))
    install_assets(app, ASSET_FOLDERS, prefix)
    app.jinja_loader = ChoiceLoader([PackageLoader(package) for package in TEMPLATES])
    install_console(app, services.settings)
    install_error_handlers(app)
    if is_wanted():
        install_tracing(app)
    install_request_handling(app, is_https=public_url.startswith("https://"))
    install_key_limits(app)
    app.wsgi_app = PrefixMiddleware(app.wsgi_app, prefix)  # type: ignore[method-assign]
    return app
