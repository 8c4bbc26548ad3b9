"""The HTTP server under gunicorn: an event loop reads requests and writes answers."""
