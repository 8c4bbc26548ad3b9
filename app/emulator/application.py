"""The Flask application of the emulator."""

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException

from app.emulator.config import DEFAULT_CONFIG, EmulatorConfig
from app.emulator.control import api as control_api
from app.emulator.emulator import EXTENSION, Emulator
from app.emulator.errors import TwilioError
from app.emulator.twilio_api import (
    account_setup,
    geo_permissions,
    lookups,
    messages,
    prices,
)

_CODE_OF_STATUS = {404: 20404, 405: 20004}


def create_emulator(config: EmulatorConfig = DEFAULT_CONFIG) -> Flask:
    """Returns the WSGI application; `emulator_of(application)` is its state."""
    application = Flask(__name__, static_folder=None)
    application.config["MAX_CONTENT_LENGTH"] = 1_000_000
    application.extensions[EXTENSION] = Emulator(config)
    for module in (
        account_setup,
        messages,
        geo_permissions,
        lookups,
        prices,
        control_api,
    ):
        application.register_blueprint(module.blueprint)
    application.register_error_handler(TwilioError, _refusal)
    application.register_error_handler(HTTPException, _failure)
    return application


def _refusal(error: TwilioError) -> Response:
    answer = jsonify(error.body())
    answer.status_code = error.status
    answer.headers.extend(error.headers)
    if error.status == 401:  # noqa: PLR2004
        answer.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return answer


def _failure(error: HTTPException) -> Response:
    status = error.code or 500
    fallback = 20001 if status < 500 else 20500  # noqa: PLR2004
    return _refusal(TwilioError(_CODE_OF_STATUS.get(status, fallback), status=status))
