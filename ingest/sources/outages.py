"""Why a site gave no answer, and what to do about it."""

import re
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus

import httpx

from index.errors import SourceUnavailable
from ingest.sources.refusals import TRIES, PassingFailure, Request, UnexpectedAnswer

_REFUSED_CERTIFICATE = re.compile(
    "ALERT_.*(CERTIFICATE|UNKNOWN_CA|DECRYPT_ERROR|HANDSHAKE_FAILURE|ACCESS_DENIED)"
)


def overloaded(request: Request, status: int) -> SourceUnavailable:
    """The error for a request that was always answered with 429 or a server error."""
    return _unavailable(request, f"it answered {status}")


def too_slow(request: Request) -> PassingFailure:
    """The failure of an answer that did not end in time."""
    return PassingFailure(_unavailable(request, f"no end after {request.seconds:.0f} seconds"))


def no_answer(request: Request, error: httpx.RequestError | ssl.SSLError) -> Exception:
    """The failure behind an error of the network; what no retry can mend is not tried again."""
    # httpx looks at where a redirect leads even if it is not to follow it.
    if "location header" in str(error):
        return UnexpectedAnswer(f"{request.name} is redirected to what is no address.")
    host = httpx.URL(request.url).host
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return _final(
            f"The certificate of {host} is not trusted ({_reason(causes)}). Set SSL_CERT_FILE to "
            "the file (PEM) of the certificate authority that signed it, which may be the one of "
            "a proxy of your network, and check the host in CONFLUENCE_URL."
        )
    if _wants_client_certificate(causes):
        return _final(
            f"{host} wants a client certificate, or refuses the one it got ({_reason(causes)}). "
            "Set CONFLUENCE_CLIENT_CERT and CONFLUENCE_CLIENT_KEY to its files (PEM)."
        )
    if isinstance(error, httpx.ProxyError) and str(error).startswith(
        str(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED.value)
    ):
        return _final(
            f"The proxy on the way to {host} wants a login (407). Put user name and password into "
            "HTTPS_PROXY: http://user:password@proxy.example.com:3128."
        )
    if isinstance(error, httpx.ProxyError):
        return PassingFailure(
            SourceUnavailable(
                f"The proxy on the way to {host} failed ({error}). Check HTTPS_PROXY, or name "
                "the host in NO_PROXY if it is reached without a proxy."
            )
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return PassingFailure(
            SourceUnavailable(
                f"The name {host}, or that of the proxy on the way to it, cannot be resolved. "
                "Check CONFLUENCE_URL, HTTPS_PROXY, the network and its DNS."
            )
        )
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return PassingFailure(_unavailable(request, text))


def _final(text: str) -> PassingFailure:
    return PassingFailure(SourceUnavailable(text), tries=1)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _wants_client_certificate(causes: list[BaseException]) -> bool:
    # With TLS 1.3 the server refuses only after the handshake, so that reading fails.
    return any(
        isinstance(cause, ssl.SSLError) and _REFUSED_CERTIFICATE.search(cause.reason or "")
        for cause in causes
    )


def _reason(causes: list[BaseException]) -> str:
    failed = next(cause for cause in causes if isinstance(cause, ssl.SSLError))
    if isinstance(failed, ssl.SSLCertVerificationError):
        return failed.verify_message
    return (failed.reason or "").lower().replace("_", " ")


def _unavailable(request: Request, problem: str) -> SourceUnavailable:
    return SourceUnavailable(
        f"Confluence did not answer {request.name} after {TRIES} tries ({problem}). Check "
        "CONFLUENCE_URL, the network and the proxy, then run again."
    )
