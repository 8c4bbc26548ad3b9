"""The state of one emulator, and the emulator and account of the current request."""

import threading
from typing import Final, cast

from flask import Flask, current_app, request

from app.emulator.accounts import Account, AccountBook
from app.emulator.callbacks.scheduler import Scheduler
from app.emulator.callbacks.sender import CallbackSender
from app.emulator.callbacks.webhooks import WebhookPoster
from app.emulator.config import EmulatorConfig
from app.emulator.records import CallbackAttempt, MessageBook
from app.emulator.scenarios import ScenarioBook

EXTENSION: Final = "borderpost-emulator"


class Emulator:
    def __init__(self, config: EmulatorConfig) -> None:
        self.config = config
        self.accounts = AccountBook(config.accounts)
        self.messages = MessageBook()
        self.scenarios = ScenarioBook()
        self.callbacks: list[CallbackAttempt] = []  # oldest first
        self.poster = WebhookPoster(config.callback_hosts, config.retry_pause_seconds)
        self._scheduler = Scheduler(config.callback_workers)
        self._closed = threading.Event()
        self.sender = CallbackSender(
            config,
            accounts=self.accounts,
            messages=self.messages,
            log=self.callbacks,
            scheduler=self._scheduler,
            poster=self.poster,
        )

    def hold(self, seconds: float) -> None:
        self._closed.wait(seconds)

    def wait_until_quiet(self, timeout_seconds: float = 10) -> bool:
        """Waits for all statuses and callbacks; returns false on a timeout."""
        return self._scheduler.wait_until_idle(timeout_seconds)

    def reset(self) -> None:
        self._scheduler.clear()
        self.messages.reset()
        self.callbacks.clear()
        self.scenarios.clear()
        self.accounts.reset()

    def close(self) -> None:
        """Breaks open connections and joins the threads; safe to call twice."""
        self._closed.set()
        self.poster.close()
        self._scheduler.close()


def emulator_of(application: Flask) -> Emulator:
    return cast("Emulator", application.extensions[EXTENSION])


def current_emulator() -> Emulator:
    return emulator_of(current_app)


def calling_account(path_sid: str | None = None) -> Account:
    """Raises `TwilioError`, as `AccountBook.authenticate`."""
    given = request.authorization
    is_basic = given is not None and given.type == "basic"
    user = (given.username or "") if given and is_basic else ""
    secret = (given.password or "") if given and is_basic else ""
    return current_emulator().accounts.authenticate(user, secret, path_sid)
