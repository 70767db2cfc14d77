"""Storage that answers every request with an error of S3's; the bucket's name selects it."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ERRORS = {
    "denied": (403, "AccessDenied", "Access Denied"),
    "unknown-key": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist."),
    "wrong-key": (403, "SignatureDoesNotMatch", "The request signature does not match."),
    "absent": (404, "NoSuchBucket", "The specified bucket does not exist"),
    "expired": (400, "ExpiredToken", "The provided token has expired."),
    "elsewhere": (
        400,
        "AuthorizationHeaderMalformed",
        "the region 'us-east-1' is wrong; expecting 'eu-west-1'",
    ),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # for `Expect: 100-continue`

    def answer(self) -> None:
        self.close_connection = True
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, code, message = ERRORS[self.path.split("/")[1].partition("?")[0]]
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815 - names of http.server

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"ready {server.server_port}", flush=True)
    sys.exit(server.serve_forever())
