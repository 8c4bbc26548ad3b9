"""A gateway that a browser can reach: on loopback, over SQLite and a fake Twilio."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Response

from app.console.ui.guards import SESSION, cookie_scope
from app.db.encryption import Cipher
from app.db.engine import Database
from app.users.caller import Caller, KnownBrowser
from app.users.sign_in import SignIn
from app.web.registry import get_service
from support.factories import Factory, Gateway, Tenant, open_gateway

# A browser that has loaded axe from here need not compile it for the next page.
AXE_PATH = "/axe.js"
AXE = Axe().axe_script


@dataclass
class Site:
    """What the pages of a test are served by, and whose they are."""

    url: str
    gateway: Gateway
    factory: Factory
    tenant: Tenant


class _Silent(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """The gateway logs its requests itself."""


@contextmanager
def served_site(
    database: Database, cipher: Cipher, folder: Path, prefix: str = ""
) -> Iterator[Site]:
    """Serve until the block ends; ``prefix`` is the path of the public URL."""
    factory = Factory(database, cipher)
    tenant = factory.tenant(factory.organization())
    server = make_server("127.0.0.1", 0, _later, threaded=True, request_handler=_Silent)
    url = f"http://127.0.0.1:{server.server_port}{prefix}"
    gateway = open_gateway(database, cipher, folder, public_url=url)
    axe = Response(AXE, mimetype="text/javascript", headers={"Cache-Control": "max-age=86400"})
    server.app = DispatcherMiddleware(gateway.client.application, {AXE_PATH: axe})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Site(url, gateway, factory, tenant)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _later(*_: object) -> list[bytes]:
    """Stands in until the port, which the application must know, is known."""
    raise AssertionError


def enter(page: Page, site: Site, key: str) -> None:
    """Sign a window in by access key, without the form."""
    caller = Caller("127.0.0.1", "127.0.0.1", "test", KnownBrowser("test", {}))
    with site.gateway.client.application.app_context():
        token = get_service(SignIn).by_key(key, caller).token
    scope = cookie_scope(site.url)
    host = urlsplit(site.url).hostname or ""
    page.context.add_cookies(
        [{"name": scope.named(SESSION), "value": token, "domain": host, "path": scope.path}]
    )
