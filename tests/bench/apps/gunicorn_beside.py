"""How gunicorn serves what the gateway is measured beside."""

import os

worker_class = os.environ["BENCH_WORKER"]
workers = int(os.environ["WEB_CONCURRENCY"])
threads = int(os.environ["BORDERPOST_THREADS"])
keepalive = 30
worker_connections = 2000
preload_app = True
control_socket_disable = True
