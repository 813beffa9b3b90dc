"""Azure as the tests play it: one HTTPS server with a Key Vault, the endpoint of Entra ID that gives tokens for it, and
what a test may ask and set under `/control`.

It listens on 127.0.0.1 at the port of its configuration, a JSON file that is its only argument.
"""

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import RLock
from urllib.parse import parse_qs, urlsplit

from entra import Entra
from vault import Vault

# The longest body that is read; the largest secret has 25 KiB and is escaped in JSON.
LONGEST = 1 << 20


class Azure:
    """What is behind all requests."""

    def __init__(self, configuration):
        self.lock = RLock()
        self.origin = f"https://127.0.0.1:{configuration['port']}"
        self.entra = Entra(self.origin, configuration)
        self.vault = Vault(self.origin, configuration["tenant"])
        # Every request but those to `/control`, in order: for tests that look at what was sent.
        self.received = []
        # How many of the next requests to the vault are answered 429, and after how many seconds they may come again.
        self.throttled = 0
        self.retry_after = None
        # After how many more requests to the vault no token counts that was given so far.
        self.forget_after = None

    def control(self, method, path, body):
        """A test's own questions: they need no token, and no client of Azure knows them."""
        if method == "GET" and path == "/control/received":
            return 200, {}, self.received
        if method == "POST" and path == "/control/forget":
            # Every token that was issued so far counts no more.
            self.entra.known.clear()
            return 200, {}, {}
        if method == "POST" and path == "/control/fill":
            self.vault.fill(json.loads(body))
            return 200, {}, {}
        if method == "POST" and path == "/control/set":
            for name, value in json.loads(body).items():
                place = {
                    "throttled": self,
                    "retry_after": self,
                    "forget_after": self,
                    "life": self.entra,
                    "answer_instead": self.entra,
                    "resource": self.vault,
                    "challenge_resource": self.vault,
                    "challenge_authority": self.vault,
                    "permissions": self.vault,
                    "is_slow_to_delete": self.vault,
                    "status_while_deleting": self.vault,
                    "recovery_level": self.vault,
                    "page": self.vault,
                }[name]
                setattr(place, name, value)
            return 200, {}, {}
        return 404, {}, {}

    def answer(self, method, target, headers, body):
        """Status, headers and JSON for one request."""
        split = urlsplit(target)
        if split.path.startswith("/control"):
            return self.control(method, split.path, body)
        self.received.append(
            {
                "method": method,
                "target": target,
                "token": headers.get("authorization") is not None,
                "length": len(body),
                "body": body.decode("utf-8", "replace"),
            }
        )
        query = {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        found = self.entra.answer(method, split.path, query, headers, body)
        if found is not None:
            return found
        refused = self.vault.refuse_token(headers.get("authorization"), self.entra)
        if refused is not None:
            return refused
        if self.throttled > 0:
            self.throttled -= 1
            after = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
            return 429, after, {"error": {"code": "Throttled", "message": "Request was not processed because too many requests were received."}}
        if self.forget_after is not None:
            self.forget_after -= 1
            if self.forget_after == 0:
                self.entra.known.clear()
                self.forget_after = None
        return self.vault.answer(method, split.path, query, body)


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 with kept connections, as the service has them."""

    protocol_version = "HTTP/1.1"
    server_version = "Kestrel"
    sys_version = ""
    timeout = 60

    def body(self):
        """The body in either of its forms (RFC 9112, section 6.3): what stands in between may have changed the form."""
        if self.headers.get("transfer-encoding") is None:
            length = int(self.headers.get("content-length") or 0)
            return self.rfile.read(min(length, LONGEST))
        body = b""
        while len(body) < LONGEST:
            length = int(self.rfile.readline(80).split(b";")[0], 16)
            body += self.rfile.read(min(length, LONGEST))
            self.rfile.readline(80)
            if length == 0:
                break
        return body

    def handle_any(self):
        body = self.body()
        names = {name.lower(): value for name, value in self.headers.items()}
        azure = self.server.azure
        with azure.lock:
            status, headers, answer = azure.answer(self.command, self.path, names, body)
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if data:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = handle_any

    def log_message(self, format, *arguments):
        sys.stderr.write(f"{self.command} {self.path} {arguments[1] if len(arguments) > 1 else ''}\n")


class Server(ThreadingHTTPServer):
    """Shakes hands in each connection's own thread, so that one silent client holds nobody up."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, configuration):
        super().__init__(("127.0.0.1", configuration["port"]), Handler)
        self.azure = Azure(configuration)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(configuration["certificate"], configuration["key"])

    def get_request(self):
        socket, address = super().get_request()
        return self.tls.wrap_socket(socket, server_side=True, do_handshake_on_connect=False), address


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        Server(json.load(file)).serve_forever()
