"""What the gateway is measured beside: applications of a few dozen lines on the same gunicorn."""
