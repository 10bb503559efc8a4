"""What stands between callers and the server: names that lead here, and proxies to believe."""

import ipaddress
import re

from index.errors import ConfigurationError
from server.settings import ServerSettings

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")


def further_hosts(settings: ServerSettings) -> list[str]:
    """Names besides the public one under which programs reach the server, in lower case.

    Raises ConfigurationError for what is no name.
    """
    names = _listed(settings.confluence_mcp_hosts)
    if wrong := [name for name in names if not _HOST.fullmatch(name)]:
        raise ConfigurationError(
            f"CONFLUENCE_MCP_HOSTS has what is no name of a host: {', '.join(map(repr, wrong))}.\n"
            "List names with commas between them, without https:// and port, such as "
            "confluence-mcp.tools.svc; IPv6 addresses stand in brackets."
        )
    return [name.lower() for name in names]


def trusted_proxies(settings: ServerSettings) -> list[str]:
    """Addresses and networks of proxies that tell who calls; raises ConfigurationError."""
    listed = _listed(settings.trusted_proxies)
    if wrong := [address for address in listed if not _is_network(address)]:
        raise ConfigurationError(
            f"TRUSTED_PROXIES has what is no address: {', '.join(map(repr, wrong))}.\n"
            "List addresses and networks with commas between them, such as 10.0.0.7,10.1.0.0/16."
        )
    return listed


def _listed(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _is_network(text: str) -> bool:
    try:
        # A network of everybody would believe whatever anybody says.
        return ipaddress.ip_network(text).prefixlen > 0
    except ValueError:
        return False
