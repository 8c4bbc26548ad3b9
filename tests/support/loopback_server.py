"""A server on loopback that gives each connection a thread, until the test ends."""

import socket
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Self

from support.polling import PATIENCE_SECONDS


@dataclass(kw_only=True)
class LoopbackServer(ABC):
    """``closing`` is set when the test is over; whoever waits should then stop."""

    closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)
        self._listener.close()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def _accept(self) -> None:
        while not self.closing.is_set():
            try:
                peer, _ = self._listener.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=self._serve, args=(peer,))
            self._threads.append(thread)
            thread.start()

    @abstractmethod
    def _serve(self, peer: socket.socket) -> None:
        """Serve a connection in a thread of its own, and close it."""
