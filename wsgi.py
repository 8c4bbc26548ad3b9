"""The application, for `gunicorn wsgi:app` and `flask --app wsgi`."""

# ruff: noqa: E402
import gc

gc.disable()  # as in gunicorn.conf.py

from app.serving import serve

gc.enable()

app = serve()
