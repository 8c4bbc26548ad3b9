"""The state of one emulator."""

import threading

from app.emulator.accounts import AccountBook
from app.emulator.callbacks.scheduler import Scheduler
from app.emulator.callbacks.sender import CallbackSender
from app.emulator.callbacks.webhooks import WebhookPoster
from app.emulator.config import EmulatorConfig
from app.emulator.scenarios import ScenarioBook
from app.emulator.state import CallbackLog, MessageBook


class Emulator:
    def __init__(self, config: EmulatorConfig) -> None:
        self.config = config
        self.accounts = AccountBook(config.accounts)
        self.messages = MessageBook()
        self.scenarios = ScenarioBook()
        self.callbacks = CallbackLog()
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
        """Sleeps; `close` wakes it."""
        self._closed.wait(seconds)

    def wait_until_quiet(self, timeout_seconds: float = 10) -> bool:
        """Waits for all statuses and callbacks; returns false on a timeout."""
        return self._scheduler.wait_until_idle(timeout_seconds)

    def reset(self) -> None:
        """Deletes messages, callbacks, scenarios and undeclared accounts."""
        self._scheduler.clear()
        self.messages.reset()
        self.callbacks.reset()
        self.scenarios.clear()
        self.accounts.reset()

    def close(self) -> None:
        """Breaks open connections and joins the threads; safe to call twice."""
        self._closed.set()
        self.poster.close()
        self._scheduler.close()
