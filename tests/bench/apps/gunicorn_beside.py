"""How gunicorn serves what the gateway is measured beside."""

import os

worker_class = "gthread"
workers = int(os.environ["WEB_CONCURRENCY"])
threads = int(os.environ["BORDERPOST_THREADS"])
keepalive = 30
preload_app = True
control_socket_disable = True
