"""The console as a whole: pages, assets, cookies."""

from pathlib import Path

from flask import Flask

from app.console.access_keys_page import routes as access_keys_routes
from app.console.account_page import routes as account_routes
from app.console.audit_page import routes as audit_routes
from app.console.cookies import FORMS, cookie_scope
from app.console.destinations.freezing import routes as freezing_routes
from app.console.destinations.history import routes as history_routes
from app.console.destinations.inheritance import routes as inheritance_routes
from app.console.destinations.page import routes as destinations_routes
from app.console.destinations.rules import routes as rules_routes
from app.console.exports import routes as exports_routes
from app.console.failures import install_failure_pages, install_lost_page
from app.console.find_page import routes as find_routes
from app.console.first_steps_page import routes as first_steps_routes
from app.console.identity_provider import install_identity_provider
from app.console.identity_provider import routes as identity_provider_routes
from app.console.messages_page import routes as messages_routes
from app.console.opt_outs_page import routes as opt_outs_routes
from app.console.overview import routes as overview_routes
from app.console.people_page import routes as people_routes
from app.console.person_page import routes as person_routes
from app.console.provider_page import routes as provider_routes
from app.console.refusals_page import routes as refusals_routes
from app.console.sign_in_page import routes as sign_in_routes
from app.console.try_page import routes as try_routes
from app.console.use_cases.one import routes as use_case_routes
from app.console.use_cases.page import routes as use_cases_routes
from app.console.use_cases.senders import routes as senders_routes
from app.console.webhooks.change import routes as webhook_change_routes
from app.console.webhooks.one import routes as webhook_routes
from app.console.webhooks.page import routes as webhooks_routes
from app.console.workspace_page import routes as workspace_routes
from app.console.workspaces_page import routes as workspaces_routes
from app.settings import Settings
from app.web.wiring import provide

CONSOLE_ROUTES = (
    sign_in_routes,
    identity_provider_routes,
    overview_routes,
    messages_routes,
    refusals_routes,
    exports_routes,
    find_routes,
    first_steps_routes,
    try_routes,
    account_routes,
    access_keys_routes,
    workspaces_routes,
    workspace_routes,
    people_routes,
    person_routes,
    audit_routes,
    destinations_routes,
    freezing_routes,
    rules_routes,
    inheritance_routes,
    history_routes,
    provider_routes,
    use_cases_routes,
    use_case_routes,
    senders_routes,
    opt_outs_routes,
    webhooks_routes,
    webhook_routes,
    webhook_change_routes,
)
CONSOLE_ASSETS = Path(__file__).parent / "assets"


def install_console(app: Flask, settings: Settings) -> None:
    """Serve the console's pages."""
    scope = cookie_scope(settings.public_url)
    provide(app, scope)
    app.config.update(
        SESSION_COOKIE_NAME=scope.named(FORMS),
        SESSION_COOKIE_PATH=scope.path,
        SESSION_COOKIE_SECURE=scope.is_https,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,
    )
    install_lost_page(app, "/console")
    install_identity_provider(app, settings)
    for place, routes in enumerate(CONSOLE_ROUTES):
        blueprint = routes.blueprint()
        install_failure_pages(blueprint)
        app.register_blueprint(blueprint, name=f"console_{place}")
