"""The shorter way of a request does what Flask's own way does, as far as our routes use it."""

from collections.abc import Iterator

import pytest
from flask import (
    Response,
    abort,
    g,
    has_app_context,
    has_request_context,
    request,
    session,
    stream_with_context,
)
from flask.signals import (
    appcontext_popped,
    appcontext_pushed,
    appcontext_tearing_down,
    request_finished,
    request_started,
)
from flask.testing import FlaskClient

from app.web.dispatch import App, current_app, current_request
from support.served import Served


@pytest.fixture
def app() -> App:
    app = App("test", static_folder=None)
    app.secret_key = "test"
    app.testing = False
    return app


@pytest.fixture
def client(app: App) -> FlaskClient:
    return app.test_client()


@pytest.mark.one_engine
def test_no_signal_and_no_hook_of_a_blueprint_is_left_out(served: Served) -> None:
    """Break: give a blueprint a function with `before_request`."""
    gateway = served.gateway.client.application
    hooks = (gateway.before_request_funcs, gateway.after_request_funcs)
    assert {place for found in hooks for place in found} <= {None}
    assert not gateway.url_value_preprocessors
    assert not gateway.teardown_appcontext_funcs
    signals = (
        appcontext_popped,
        appcontext_pushed,
        appcontext_tearing_down,
        request_finished,
        request_started,
    )
    assert not any(signal.receivers for signal in signals)


def test_each_request_has_its_own_contexts(app: App, client: FlaskClient) -> None:
    """Break: in `_Context.pop`, reset nothing."""
    seen: list[object] = []

    @app.get("/<name>")
    def view(name: str) -> Response:
        assert current_request() is request._get_current_object()  # type: ignore[attr-defined]
        assert current_app() is app
        seen.append(g.get("name"))
        g.name = name
        if name == "broken":
            abort(418)
        return Response(name)

    assert [client.get(f"/{name}").status_code for name in ("one", "broken", "two")] == [
        200,
        418,
        200,
    ]
    assert seen == [None, None, None]
    assert not has_app_context()
    assert not has_request_context()


def test_an_answer_in_pieces_has_its_request(app: App, client: FlaskClient) -> None:
    """Break: in `_Context.push`, set no variables when it is pushed again."""

    @app.get("/lines")
    def view() -> Response:
        def pieces() -> Iterator[str]:
            yield request.args["name"]
            yield request.args["name"]

        return Response(stream_with_context(pieces()))

    assert client.get("/lines?name=Ada").text == "AdaAda"
    assert not has_request_context()
    assert not has_app_context()


def test_hooks_of_the_application_run_around_the_view(app: App, client: FlaskClient) -> None:
    """Break: in `App.full_dispatch_request`, do not call `preprocess_request`."""
    seen: list[str] = []
    app.before_request(lambda: seen.append("before"))
    app.teardown_request(lambda _problem: seen.append("teardown"))

    @app.after_request
    def after(answer: Response) -> Response:
        seen.append("after")
        return answer

    @app.get("/")
    def view() -> Response:
        seen.append("view")
        return Response("")

    client.get("/")
    client.get("/nowhere")
    assert seen == ["before", "view", "after", "teardown", "before", "after", "teardown"]


def test_only_pages_keep_a_session(app: App, client: FlaskClient) -> None:
    """Break: in `App.process_response`, do not save the session."""

    @app.get("/console/count")
    def page() -> Response:
        session["count"] = session.get("count", 0) + 1
        return Response(str(session["count"]))

    @app.get("/v1/count")
    def api() -> Response:
        return Response(str(session.get("count")))

    assert [client.get("/console/count").text for _ in range(2)] == ["1", "2"]
    answer = client.get("/v1/count")
    assert answer.text == "None"
    assert "Set-Cookie" not in answer.headers


def test_a_host_is_checked(app: App, client: FlaskClient) -> None:
    """Break: in `App.create_url_adapter`, take the header as it is."""
    app.get("/")(lambda: Response(request.host))
    given = ("sms.example.com", "sms.example.com:80", "a b", "<script>", "sms.example.com")
    hosts = [client.get("/", headers={"Host": host}).text for host in given]
    assert hosts == ["sms.example.com", "sms.example.com", "", "", "sms.example.com"]
