"""The doctor on who is shown what: permissions that were read, and who asks over stdio and HTTP."""

from confluence_mcp.doctor_finding import Finding, some
from index.access import Askers
from index.access_status import AccessStatus
from index.errors import ConfigurationError
from server.app import UNKNOWN_USER
from server.auth_settings import Issuer, http_auth
from server.jwks import IssuerUnavailable, SigningKeys
from server.settings import ServerSettings


def no_permissions(server: ServerSettings) -> Finding:
    """That permissions are not read, which is wrong where somebody is asked who they are."""
    text = "CONFLUENCE_PERMISSIONS is false: nobody but the crawler is shown what comes in"
    if not (server.confluence_mcp_user or server.auth_issuer or server.auth_api_keys):
        return Finding("permissions", True, text)
    advice = "set it to true and run `confluence-mcp ingest`, or ask nobody who they are"
    return Finding("permissions", False, f"{text}; {advice}")


def permissions(access: AccessStatus) -> Finding:
    """How many spaces have known readers, and what is shown to nobody."""
    if not access.spaces:
        return Finding("permissions", True, "nothing is indexed yet that they could be of")
    closed = [space.key for space in access.spaces if not space.is_open]
    unknown = sum(space.unknown for space in access.spaces)
    known = (
        f"{len(access.spaces) - len(closed)} of {len(access.spaces)} spaces have known readers; "
        f"{access.accounts} active accounts ({access.accounts_with_email} with e-mail), "
        f"{access.groups} groups"
    )
    troubles = [
        f"shown to nobody but the crawler: {some(closed)}" if closed else "",
        f"{unknown} pages or folders with unknown restrictions" if unknown else "",
        f"{access.unreadable_groups} groups without members" if access.unreadable_groups else "",
    ]
    if not any(troubles):
        return Finding("permissions", True, known)
    advice = "run `confluence-mcp ingest` and read its warnings"
    return Finding("permissions", False, "; ".join([known, *filter(None, troubles), advice]))


async def shown_over_stdio(settings: ServerSettings, askers: Askers) -> Finding:
    """Whose view the server takes where nobody is asked."""
    user = settings.confluence_mcp_user
    if user is None:
        text = "shows all that the crawler may see; CONFLUENCE_MCP_USER limits it to one account"
        return Finding("stdio", True, text)
    if (await askers.named(user, user)).accounts:
        return Finding("stdio", True, "shows what the account of CONFLUENCE_MCP_USER may read")
    return Finding("stdio", False, UNKNOWN_USER)


async def shown_over_http(settings: ServerSettings, access: AccessStatus) -> Finding:
    """Who may call over HTTP, and whether the identity provider answers."""
    try:
        auth = http_auth(settings, "127.0.0.1", 8080)
    except ConfigurationError as error:
        return Finding("http", False, str(error))
    if auth is None:
        text = "listens on loopback only, and shows the same as stdio; AUTH_ISSUER or "
        return Finding("http", True, f"{text}AUTH_API_KEYS tell callers apart")
    needed = f"callers need {auth.needed}"
    trouble = await _trouble(auth.issuer, access) if auth.issuer is not None else None
    return Finding("http", trouble is None, f"{needed}; {trouble}" if trouble else needed)


async def _trouble(issuer: Issuer, access: AccessStatus) -> str | None:
    """Why nobody with a token of the issuer gets far."""
    try:
        async with SigningKeys.open(issuer.url, issuer.jwks_url) as keys:
            await keys.named(None)
    except IssuerUnavailable:
        return "its keys cannot be read, the log says why: check AUTH_ISSUER and AUTH_JWKS_URL"
    if issuer.account_claim == "email" and access.accounts and not access.accounts_with_email:
        return (
            "no account has an e-mail address that the index knows, as Data Center tells none: "
            "list them in CONFLUENCE_DIRECTORY, or set AUTH_ACCOUNT_CLAIM to a claim that has the "
            "user name or account id"
        )
    return None
