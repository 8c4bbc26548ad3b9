"""The HTTP server under gunicorn."""
