"""In-memory stores of messages and callback attempts, safe for many threads."""

import threading
from collections.abc import Callable

from app.emulator.records import CallbackAttempt, Message


class MessageBook:
    """Every message that was accepted, safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages: dict[str, Message] = {}
        self._created = 0
        self._attempted = 0

    def count_attempt(self) -> None:
        """Counts a create call, whatever becomes of it."""
        with self._lock:
            self._attempted += 1

    def add(self, message: Message) -> None:
        """Keeps a message that has just been accepted."""
        with self._lock:
            self._created += 1
            self._messages[message.sid] = message

    def find(self, sid: str) -> Message | None:
        """The message with this sid as it is now."""
        with self._lock:
            return self._messages.get(sid)

    def change(self, sid: str, change: Callable[[Message], Message]) -> Message | None:
        """Replaces a message by what `change` makes of it; null when it is gone."""
        with self._lock:
            message = self._messages.get(sid)
            if message is not None:
                message = self._messages[sid] = change(message)
            return message

    def delete(self, sid: str) -> None:
        """Forgets a message, but not that it was created."""
        with self._lock:
            self._messages.pop(sid, None)

    def newest_first(self) -> list[Message]:
        """All messages of all accounts, the last created first."""
        with self._lock:
            return list(reversed(self._messages.values()))

    @property
    def created(self) -> int:
        """How many messages were accepted since the start or the last reset."""
        with self._lock:
            return self._created

    @property
    def attempted(self) -> int:
        """How many authenticated create calls came in, refused ones included."""
        with self._lock:
            return self._attempted

    def reset(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._messages.clear()
            self._created = self._attempted = 0


class CallbackLog:
    """Every attempt to call back, oldest first, safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: list[CallbackAttempt] = []

    def add(self, attempt: CallbackAttempt) -> None:
        """Keeps an attempt."""
        with self._lock:
            self._attempts.append(attempt)

    def oldest_first(self) -> list[CallbackAttempt]:
        """All attempts so far."""
        with self._lock:
            return list(self._attempts)

    def reset(self) -> None:
        """Forgets everything."""
        with self._lock:
            self._attempts.clear()
