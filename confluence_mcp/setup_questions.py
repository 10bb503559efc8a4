"""The questions about Confluence: which site, as whom, and which of its spaces."""

from collections.abc import Sequence

from confluence_mcp.setup_draft import Draft
from confluence_mcp.setup_site import Sight, Site, find_site, look_around, tokens_page
from confluence_mcp.setup_terminal import Terminal, until_right
from index.errors import ConfigurationError
from index.event_loop import run
from index.records import Space
from ingest.sources.source import Deployment

SHOWN_SPACES = 40
READ_PAGES = "read:page:confluence"
KINDS = {Deployment.CLOUD: "Confluence Cloud", Deployment.DATACENTER: "Confluence Data Center"}
SCOPES_HINT = (
    "A classic token can do all that the account can; one with scopes needs the read scopes that "
    ".env.example lists."
)


def ask_site(terminal: Terminal, draft: Draft) -> Site:
    """Where the wiki is; asked until a Confluence answers there."""

    def asked() -> Site:
        url = terminal.ask("Address of your Confluence, such as a page of it", default)
        if not url:
            raise ConfigurationError("Set CONFLUENCE_URL: without an address there is no wiki.")
        known = draft["CONFLUENCE_DEPLOYMENT"]
        kind = Deployment(known) if known else None
        site = run(find_site(url, draft.ingest().connection, kind))
        draft.put(CONFLUENCE_URL=site.url)
        return site

    default = draft["CONFLUENCE_URL"]
    site = until_right(terminal, asked)
    terminal.say(f"  {KINDS[site.deployment]} at {site.url}\n")
    return site


def ask_account(terminal: Terminal, draft: Draft, site: Site) -> Sight:
    """Who reads it; asked until the site takes the credentials."""

    def asked() -> Sight:
        candidate = Draft(dict(draft.values))
        _ask_credentials(terminal, candidate, site)
        draft.put(CONFLUENCE_USERNAME=candidate["CONFLUENCE_USERNAME"])
        sight = run(look_around(candidate.ingest()))
        if not sight.spaces:
            raise ConfigurationError(
                "The account sees no space. Give it a licence and let it read spaces, or name "
                "another account."
            )
        if any(scope.name == READ_PAGES for scope in sight.lacking):
            raise ConfigurationError(
                f"The token lacks {READ_PAGES}. Make one that has it, or a classic one."
            )
        draft.put(**candidate.values)
        return sight

    terminal.say(f"A token is made at {tokens_page(site)}")
    if site.deployment is Deployment.CLOUD:
        terminal.say(SCOPES_HINT)
    sight = until_right(terminal, asked)
    name = f"{sight.name} " if sight.name else ""
    terminal.say(f"  read as {name}({sight.account_id}), who sees {len(sight.spaces)} spaces")
    for scope in sight.lacking:
        terminal.say(f"  ! the token lacks {scope.name}: without it, no {scope.gives}")
    terminal.say()
    return sight


def _ask_credentials(terminal: Terminal, draft: Draft, site: Site) -> None:
    if site.deployment is Deployment.DATACENTER:
        if draft["CONFLUENCE_API_TOKEN"] and not terminal.is_person:  # a user and a password
            draft.put(CONFLUENCE_DEPLOYMENT=site.deployment.value)
            return
        token = _secret(terminal, "Personal access token", draft["CONFLUENCE_PERSONAL_TOKEN"])
        draft.put_account(site.deployment, "", "CONFLUENCE_PERSONAL_TOKEN", token)
        return
    username = terminal.ask(
        "E-mail of the account (- for an OAuth token or that of a service account)",
        "-" if draft["CONFLUENCE_BEARER_TOKEN"] else draft["CONFLUENCE_USERNAME"],
    )
    if username == "-":
        token = _secret(terminal, "OAuth access token", draft["CONFLUENCE_BEARER_TOKEN"])
        draft.put_account(site.deployment, "", "CONFLUENCE_BEARER_TOKEN", token)
        return
    if not username:
        raise ConfigurationError("Set CONFLUENCE_USERNAME: the e-mail of the account that reads.")
    token = _secret(terminal, "API token", draft["CONFLUENCE_API_TOKEN"])
    draft.put_account(site.deployment, username, "CONFLUENCE_API_TOKEN", token)


def _secret(terminal: Terminal, what: str, known: str) -> str:
    hint = "not shown; empty keeps the one that is set" if known else "not shown"
    given = terminal.ask_unseen(f"{what} ({hint})") or known
    if not given:
        raise ConfigurationError(f"Without the {what} nothing can be read.")
    return given


def ask_spaces(terminal: Terminal, draft: Draft, spaces: Sequence[Space]) -> None:
    """Which spaces are indexed: numbers or keys of a list, or all."""

    def asked() -> None:
        answer = terminal.ask("Spaces: numbers or keys, -KEY leaves one out, or all", default)
        while answer.startswith("?"):
            _show_spaces(terminal, spaces, answer[1:].strip().lower())
            answer = terminal.ask("Spaces", default)
        draft.put(CONFLUENCE_SPACES=chosen_spaces(answer, spaces))

    default = draft["CONFLUENCE_SPACES"] or "all"
    _show_spaces(terminal, spaces, "")
    until_right(terminal, asked)
    chosen = draft["CONFLUENCE_SPACES"]
    admits = draft.ingest().space_filter.admits
    count = sum(admits(space.key) for space in spaces)
    terminal.say(f"  {count} of {len(spaces)} spaces{': ' + chosen if chosen else ''}\n")


def _show_spaces(terminal: Terminal, spaces: Sequence[Space], text: str) -> None:
    fitting = [
        f"  {number:4}  {space.key}  {space.name}"
        for number, space in enumerate(spaces, start=1)
        if text in f"{space.key} {space.name}".lower()
    ]
    for line in fitting[:SHOWN_SPACES]:
        terminal.say(line)
    if len(fitting) > SHOWN_SPACES:
        more = len(fitting) - SHOWN_SPACES
        terminal.say(f"        and {more} more; ?word shows those whose key or name has it")


def chosen_spaces(answer: str, spaces: Sequence[Space]) -> str:
    """The value of CONFLUENCE_SPACES for an answer; raises ConfigurationError."""
    words = [word.strip() for word in answer.replace(",", " ").split()]
    if [word.lower() for word in words] in ([], ["all"]):
        return ""
    keys = {space.key.lower(): space.key for space in spaces}
    chosen: list[str] = []
    for word in words:
        sign, name = ("-", word[1:]) if word.startswith("-") else ("", word)
        if name.lower() in keys:
            chosen.append(sign + keys[name.lower()])
        elif name.isdecimal() and 0 < int(name) <= len(spaces):
            chosen.append(sign + spaces[int(name) - 1].key)
        elif not sign or name:
            raise ConfigurationError(
                f"{word} is neither a number of the list nor the key of a space that the account "
                "sees."
            )
    return ",".join(dict.fromkeys(chosen))
