"""The application, for `gunicorn wsgi:app` and `flask --app wsgi`."""

from app.serving import serve

app = serve()
