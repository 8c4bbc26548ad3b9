"""In-memory stores of messages and callback attempts, safe for many threads."""

import threading
from collections.abc import Callable

from app.emulator.records import CallbackAttempt, Message


class MessageBook:
    """The accepted messages."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, Message] = {}
        self._created = 0
        self._attempted = 0

    def count_attempt(self) -> None:
        with self._lock:
            self._attempted += 1

    def add(self, message: Message) -> None:
        with self._lock:
            self._created += 1
            self._messages[message.sid] = message

    def find(self, sid: str) -> Message | None:
        with self._lock:
            return self._messages.get(sid)

    def change(self, sid: str, change: Callable[[Message], Message]) -> Message | None:
        """Applies `change` to a message; returns null if it does not exist."""
        with self._lock:
            message = self._messages.get(sid)
            if message is not None:
                message = self._messages[sid] = change(message)
            return message

    def delete(self, sid: str) -> None:
        """Removes a message; it still counts as created."""
        with self._lock:
            self._messages.pop(sid, None)

    def newest_first(self) -> list[Message]:
        with self._lock:
            return list(reversed(self._messages.values()))

    @property
    def created(self) -> int:
        """The number of accepted messages since the last reset."""
        with self._lock:
            return self._created

    @property
    def attempted(self) -> int:
        """The number of authenticated create calls, refused ones included."""
        with self._lock:
            return self._attempted

    def reset(self) -> None:
        with self._lock:
            self._messages.clear()
            self._created = self._attempted = 0


class CallbackLog:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: list[CallbackAttempt] = []

    def add(self, attempt: CallbackAttempt) -> None:
        with self._lock:
            self._attempts.append(attempt)

    def oldest_first(self) -> list[CallbackAttempt]:
        with self._lock:
            return list(self._attempts)

    def reset(self) -> None:
        with self._lock:
            self._attempts.clear()
