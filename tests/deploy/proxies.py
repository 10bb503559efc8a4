"""The proxies of deploy/ where they are installed, as their files say but for addresses."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.command import ROOT

DEPLOY = ROOT / "deploy"
EXAMPLE_SERVERS = ("10.0.0.11:8080", "10.0.0.12:8080")
NGINX_MAIN = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""

Command = Callable[[Path, Mapping[str, str]], list[str]]


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running one: where it listens, with TLS, and what to believe of it."""

    port: int
    tls: ssl.SSLContext

    @property
    def url(self) -> str:
        """The public address of MCP."""
        return f"https://localhost:{self.port}/mcp"


def program(name: str) -> str | None:
    """Where a program of the system is."""
    return shutil.which(name, path=os.pathsep.join((os.environ["PATH"], "/usr/sbin")))


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def adapted(path: Path, replacements: Mapping[str, str]) -> str:
    """The text of a file with other addresses; each of the old ones has to be there."""
    text = path.read_text(encoding="utf-8")
    for old, new in replacements.items():
        assert old in text, f"{path.name} has no {old}"
        text = text.replace(old, new)
    return text


def nginx(
    folder: Path, replacements: Mapping[str, str], example: str = "confluence-mcp.conf"
) -> list[str]:
    """The command of an nginx that serves an example."""
    site = adapted(DEPLOY / "nginx" / example, replacements)
    (folder / "site.conf").write_text(site, encoding="utf-8")
    # Its workers would be another user, who does not reach this folder.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX_MAIN.format(folder=folder, user=user))
    return [program("nginx") or "nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def haproxy(folder: Path, replacements: Mapping[str, str]) -> list[str]:
    """The command of a HAProxy that serves the example."""
    config = folder / "haproxy.cfg"
    config.write_text(adapted(DEPLOY / "haproxy" / "haproxy.cfg", replacements), encoding="utf-8")
    return [program("haproxy") or "haproxy", "-db", "-f", str(config)]


@contextmanager
def running(command: Command, servers: Sequence[int], folder: Path) -> Generator[Proxy]:
    """A proxy on a free port of this machine, before servers on other ports."""
    port = free_port()
    pem = folder / "server.pem"
    certificate = write_certificate(pem)
    here = [f"127.0.0.1:{server}" for server in servers]
    addresses = dict(zip(EXAMPLE_SERVERS, here, strict=True))
    words = command(folder, addresses | _outside(command, port, pem))
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output, cwd=folder)
    try:
        _wait_for(port, process, folder / "output")
        yield Proxy(port, ssl.create_default_context(cadata=certificate))
    finally:
        process.terminate()
        process.wait()


def _outside(command: Command, port: int, pem: Path) -> dict[str, str]:
    """Where callers reach it, in place of what the example says."""
    if command is haproxy:
        return {
            "bind :443": f"bind 127.0.0.1:{port}",
            "/etc/haproxy/tls/wiki-search.pem": str(pem),
        }
    return {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server_name wiki-search.example.com": "server_name localhost",
        "/etc/nginx/tls/wiki-search.pem": str(pem),
        "/etc/nginx/tls/wiki-search.key": str(pem),
    }


def write_certificate(pem: Path) -> str:
    """Writes one for localhost that vouches for itself, with its key; gives it without."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain)
    pem.write_bytes(certificate.public_bytes(encoding) + secret)
    return certificate.public_bytes(encoding).decode()


def _wait_for(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, "the proxy does not listen"
            time.sleep(0.02)
        else:
            return
