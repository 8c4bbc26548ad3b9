"""A check of a page waits until the browser has all of it."""

import socket
import time

from playwright.sync_api import Page, expect

from support.accessibility import violations
from support.browser import Complaints, pixels_beyond_window, scrolling_sideways
from support.loopback_server import LoopbackServer

_FORM = """<!doctype html><html lang="en"><title>First</title><link rel="icon" href="data:,">
<main><h1>First</h1><form method="post" action="/"><button>Go on</button></form></main></html>"""
_NEXT = """<!doctype html><html lang="en"><title>Next</title><link rel="icon" href="data:,">
<main><h1>Next</h1><img src="data:,"><p style="width: 3000px">Wide</p></main></html>"""
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"


class _LateBody(LoopbackServer):
    """Sends the body of the page that answers a form some time after its head."""

    def _serve(self, peer: socket.socket) -> None:
        with peer:
            posted = peer.recv(65_536).startswith(b"POST")
            peer.sendall(_HEAD)
            if posted:
                time.sleep(0.5)
            peer.sendall((_NEXT if posted else _FORM).encode())


def test_what_a_form_answers_is_checked_whole(page: Page, complaints: Complaints) -> None:
    for check, found in (
        (
            lambda: list(violations(page)),
            ["image-alt (critical): Images must have alternative text"],
        ),
        (lambda: pixels_beyond_window(page) > 0, True),
        (lambda: scrolling_sideways(page), []),
    ):
        with _LateBody() as server:
            page.goto(f"http://127.0.0.1:{server.port}/")
            page.get_by_role("button").click()
            assert check() == found
            expect(page.get_by_role("heading")).to_have_text("Next")
    complaints.found.clear()  # another host than the site's
