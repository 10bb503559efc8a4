"""Which addresses a source may talk to."""

from urllib.parse import urljoin, urlsplit

from index.errors import ConfigurationError, SourceError
from index.settings import is_loopback


def checked_url(variable: str, url: str, *, gets_token: bool = True) -> str:
    """A base URL without trailing slash; ConfigurationError unless a token may be sent there.

    An address that `gets_token` must be https, or on this machine.
    """
    text = url.strip() if "://" in url else f"https://{url.strip()}"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(f"{variable} is not a URL. Give the site's address.") from error
    if not host or parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        raise ConfigurationError(
            f"{variable} must be a web address without user name, such as "
            "https://example.atlassian.net/wiki."
        )
    if gets_token and parts.scheme == "http" and not is_loopback(host):
        raise ConfigurationError(
            f"{variable} is plain http to {host}, which would show the token to the network. "
            "Use https."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def followed(base_url: str, current_url: str, link: str) -> str:
    """Where a `next` link leads; SourceError when that is not under `base_url`.

    Through the API gateway, links begin with `/wiki` although the base has a path before it.
    """
    base = urlsplit(base_url)
    target = urlsplit(urljoin(current_url, link))
    if not target.path.startswith(f"{base.path}/"):
        target = target._replace(path=base.path.removesuffix("/wiki") + target.path)
    is_under_base = target.path.startswith(f"{base.path}/")
    if (target.scheme, target.netloc) != (base.scheme, base.netloc) or not is_under_base:
        raise SourceError(
            f"A listing of {base.hostname} goes on at {target.hostname}, outside {base.path}, and "
            "is not followed there. Check that CONFLUENCE_URL is the site's own address."
        )
    return target.geturl()
