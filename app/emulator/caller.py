"""The emulator and the account of the current request."""

from typing import Final, cast

from flask import Flask, current_app, request

from app.emulator.accounts import Account
from app.emulator.emulator import Emulator

EXTENSION: Final = "borderpost-emulator"


def emulator_of(application: Flask) -> Emulator:
    return cast("Emulator", application.extensions[EXTENSION])


def current_emulator() -> Emulator:
    return emulator_of(current_app)


def calling_account(path_sid: str | None = None) -> Account:
    """Authenticates the request; `path_sid` is the account in its path.

    Raises `TwilioError` 20003 or 20404, as `AccountBook.authenticate`.
    """
    given = request.authorization
    is_basic = given is not None and given.type == "basic"
    user = (given.username or "") if given and is_basic else ""
    secret = (given.password or "") if given and is_basic else ""
    return current_emulator().accounts.authenticate(user, secret, path_sid)
