"""The gateway's worker with other deadlines, for ``gunicorn --worker-class``."""

from app.web.server.connection import Deadlines
from app.web.server.worker import BufferingWorker

DEADLINES = Deadlines(head=5.0, body=6.0, place=30.0, answer=4.0, gone=0.5)


class QuickWorker(BufferingWorker):
    """Ends slow clients after a few seconds; its sends wait longer for a place."""

    deadlines = DEADLINES
