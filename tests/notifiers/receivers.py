"""A receiver on loopback for tests/notifiers.rs, until its standard input ends: `receivers.py KIND CERTIFICATE KEY`.

KIND is smtp-starttls, smtp-tls, smtp-plain or https. The first line it prints is its port; then each mail or request is
a line of JSON. The SMTP servers that speak TLS want user `daycap` with password `hunter2`, and no mail goes to nobody@.
"""

import asyncio
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from aiosmtpd.smtp import SMTP, AuthResult


def say(line):
    print(line, flush=True)


class Mails:
    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address.startswith("nobody@"):
            return f"550 5.1.1 <{address}>: nobody is here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        say(json.dumps({
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "letter": envelope.content.decode(),
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "authenticated": bool(session.authenticated),
        }))
        return "250 OK"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"daycap" and data.password == b"hunter2"
    return AuthResult(success=good, handled=False)


async def receive_mails(kind, context):
    plain = kind == "smtp-plain"

    def connected():
        return SMTP(
            Mails(),
            hostname="localhost",
            tls_context=context if kind == "smtp-starttls" else None,
            require_starttls=kind == "smtp-starttls",
            auth_required=not plain,
            auth_require_tls=kind == "smtp-starttls",
            authenticator=authenticate,
        )

    wrapping = context if kind == "smtp-tls" else None
    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0, ssl=wrapping)
    say(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(sys.stdin.read)


class Requests(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        say(json.dumps({"path": self.path, "headers": {name.lower(): value for name, value in self.headers.items()}, "body": body.decode()}))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def receive_requests(context):
    server = HTTPServer(("127.0.0.1", 0), Requests)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    say(server.server_port)
    sys.stdin.read()


kind, certificate, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
if kind == "https":
    receive_requests(context)
else:
    asyncio.run(receive_mails(kind, context))
