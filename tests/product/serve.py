"""A store that speaks S3, in memory: moto. Says where it is, and ends when its standard input does."""

import logging
import sys
import threading

from moto.moto_server.werkzeug_app import create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "tides"
ACCOUNT = "123456789012"


class Quiet(WSGIRequestHandler):
    """Connections are kept, as by stores in use, and nothing is said of requests."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_):
        pass


class OneByOne:
    """moto looks whether a name is taken, and takes it then: no store does that in two steps."""

    def __init__(self, app):
        self.app = app
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        with self.lock:
            return list(self.app(environ, start_response))


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    s3_backends[ACCOUNT]["aws"].create_bucket(BUCKET, "us-east-1")
    app = OneByOne(create_backend_app("s3"))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    sys.stdin.read()


main()
