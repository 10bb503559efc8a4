"""A corporate network on loopback: an authority of its own, a site over TLS, a forward proxy."""

import ipaddress
import select
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "wiki.example.com"
PASSWORD = "key-password"


class Authority:
    """A certificate authority that nobody knows, and the files (PEM) that it gives out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Harbourlight Authority")
        certificate = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "authority.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, password: str = "") -> tuple[Path, Path]:
        """The files of a certificate for a host or a person, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        certificate = (
            _builder(_name(name), self._name, key)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        lock = (
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption()
        )
        files = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        )
        return files


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    today = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
    )


@dataclass(slots=True)
class TlsSite:
    """A site that answers every path with its content; `headers` has those of each request."""

    port: int = 0
    content: bytes = b'{"text": "plan"}'
    headers: list[Message] = field(default_factory=list[Message])

    @property
    def origin(self) -> str:
        """Where it is on this machine."""
        return f"https://127.0.0.1:{self.port}"


@contextmanager
def serve_tls(files: tuple[Path, Path], *, clients_of: Path | None = None) -> Generator[TlsSite]:
    """A site with a certificate; with `clients_of`, for clients of that authority only."""
    site = TlsSite()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    if clients_of:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients_of)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.headers.append(self.headers)
            self.send_response(200)
            self.send_header("Content-Length", str(len(site.content)))
            self.end_headers()
            self.wfile.write(site.content)

        def setup(self) -> None:
            # In the thread of the connection, so that one that fails holds up no other.
            self.request = _handshaken(context, self.request)
            super().setup()

        def finish(self) -> None:
            super().finish()
            self.request.close()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with _served(_QuietServer(("127.0.0.1", 0), Handler)) as port:
        site.port = port
        yield site


def _handshaken(context: ssl.SSLContext, connection: socket.socket) -> ssl.SSLSocket:
    secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
    try:
        secured.do_handshake()
    except ssl.SSLError:
        # Closed at once, it would be reset, and the client would not learn why.
        with socket.socket(fileno=secured.detach()) as refused:
            refused.shutdown(socket.SHUT_WR)
            while refused.recv(65536):
                pass
        raise
    return secured


@dataclass(slots=True)
class Proxy:
    """A forward proxy that reaches any host at one port of this machine."""

    target: int
    login: str = ""
    port: int = 0
    asked: list[str] = field(default_factory=list[str])

    def url(self, login: str = "") -> str:
        """Its address as it stands in HTTPS_PROXY."""
        return f"http://{login}{'@' if login else ''}127.0.0.1:{self.port}"


@contextmanager
def forward_proxy(target: int, login: str = "") -> Generator[Proxy]:
    """A proxy in front of a port; with a `login` (user:password) it lets nobody else through."""
    proxy = Proxy(target, login)
    expected = f"Basic {b64encode(login.encode()).decode()}"

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            proxy.asked.append(self.path)
            if login and self.headers.get("Proxy-Authorization") != expected:
                self.send_error(407)
                return
            with socket.create_connection(("127.0.0.1", proxy.target)) as site:
                self.send_response(200)
                self.end_headers()
                _tunnel(self.connection, site)
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    with _served(_QuietServer(("127.0.0.1", 0), Handler)) as port:
        proxy.port = port
        yield proxy


def _tunnel(client: socket.socket, site: socket.socket) -> None:
    other = {client: site, site: client}
    while True:
        readable, _, _ = select.select([client, site], [], [])
        for end in readable:
            part = end.recv(65536)
            if not part:
                return
            other[end].sendall(part)


class _QuietServer(ThreadingHTTPServer):
    """One whose connections may fail, as tests want them to."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing."""


@contextmanager
def _served(server: ThreadingHTTPServer) -> Generator[int]:
    server.daemon_threads = True
    thread = threading.Thread(target=partial(server.serve_forever, 0.01), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
