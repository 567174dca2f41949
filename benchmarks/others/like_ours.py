"""Gunicorn settings of the other receivers, as in our own configuration."""

worker_class = "gevent"
workers = 1
worker_connections = 1000
backlog = 2048
keepalive = 75
worker_tmp_dir = "/dev/shm"
control_socket_disable = True
