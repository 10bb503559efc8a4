"""Who is let in, and who is taken for whom."""

import asyncio
import json
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from chat_identity import LOCAL, Asked, Cookies, Door, Identities, asked
from chat_settings import ChatSettings
from chat_sign_in import SECRET, SignInError, Way, prepare, sign_in_from
from chat_sign_in_throttle import Throttle
from chat_sign_in_users import Users, UsersError, hashed, is_password
from starlette.types import Message, Receive, Scope, Send

pytestmark = pytest.mark.anyio

MCP = {"CONFLUENCE_MCP_URL": "http://127.0.0.1:8080/mcp"}
DATABASE = {"CHAT_DATABASE_URL": "postgresql://chat:hush@127.0.0.1/chat"}
ADA = "password:ada"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAT_HOME", str(tmp_path / "home"))
    for name in ChatSettings.model_fields:
        if name != "chat_home":
            monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def users(tmp_path: Path) -> Users:
    users = Users(tmp_path / "home" / "users.json")
    users.add("ada", "a long password", "key-of-ada")
    return users


def settings(*parts: Mapping[str, str], **variables: str) -> ChatSettings:
    given = {name.lower(): value for part in parts for name, value in part.items()}
    return ChatSettings.model_validate(given | variables)


async def test_a_password_lets_in_its_user_alone(users: Users) -> None:
    right = await users.signed_in("ada", "a long password")
    others = [
        await users.signed_in(*one)
        for one in (("ada", "a wrong password"), ("bob", "a long password"), ("", ""))
    ]

    assert right is not None
    assert right.key == "key-of-ada"
    assert others == [None, None, None]
    assert "key-of-ada" not in repr(right)


def test_a_hash_tells_nothing_and_is_never_the_same(users: Users) -> None:
    first, second = hashed("a long password"), hashed("a long password")

    assert first != second
    assert is_password("a long password", first)
    assert not any(is_password("a long password", one) for one in ("", "a:b", "scrypt:1:1:1:x:y"))
    assert "password" not in json.loads(users.path.read_text())["users"][0]["password"]


def test_the_file_is_for_its_owner_alone_and_read_anew_when_it_changes(users: Users) -> None:
    other = Users(users.path)
    assert other.named("bob") is None

    users.add("bob", "another password", "key-of-bob")
    added = other.named("bob")
    users.remove("ada")

    assert stat.S_IMODE(users.path.stat().st_mode) == 0o600
    assert added is not None
    assert [user.name for user in other.all()] == ["bob"]
    users.path.chmod(0o644)
    with pytest.raises(UsersError, match="chmod 600"):
        Users(users.path).all()


@pytest.mark.parametrize(
    ("name", "password", "key"),
    [("eve", "short", "key"), (" eve", "a long password", "key"), ("eve", "a long password", "")],
)
def test_what_would_not_work_is_not_written(
    users: Users, name: str, password: str, key: str
) -> None:
    with pytest.raises(UsersError):
        users.add(name, password, key)

    assert [user.name for user in users.all()] == ["ada"]


def test_a_broken_file_is_told_without_its_content(users: Users) -> None:
    users.path.write_text('{"users": [{"name": "ada", "key": "key-of-ada"}]}')

    with pytest.raises(UsersError) as raised:
        Users(users.path).all()

    assert "key-of-ada" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_after_some_failures_the_next_try_waits() -> None:
    now = 0.0
    throttle = Throttle(2, 60, clock=lambda: now)

    for _ in range(2):
        throttle.note_failure("ada")
    then = throttle.lets_pass("ada"), throttle.lets_pass("bob")
    now = 60.0

    assert then == (False, True)
    assert throttle.lets_pass("ada")


@pytest.mark.parametrize(
    ("variables", "host", "ways"),
    [
        ({}, "127.0.0.1", set[Way]()),
        ({}, "0.0.0.0", set[Way]()),
        (DATABASE, "127.0.0.1", {Way.LOCAL}),
        (DATABASE, "0.0.0.0", set[Way]()),
        (MCP | {"CHAT_SIGN_IN": "password, OAuth"}, "0.0.0.0", {Way.PASSWORD, Way.OAUTH}),
        (MCP | {"CHAT_SIGN_IN": "proxy"}, "127.0.0.1", {Way.PROXY}),
    ],
)
def test_the_settings_say_how_people_sign_in(
    variables: dict[str, str], host: str, ways: set[Way]
) -> None:
    assert sign_in_from(settings(variables), host).ways == ways


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (MCP | {"CHAT_SIGN_IN": "pasword"}, "pasword is no way"),
        (MCP | {"CHAT_SIGN_IN": "proxy,oauth"}, "goes with no other"),
        ({"CHAT_SIGN_IN": "password"}, "Set CONFLUENCE_MCP_URL"),
        (MCP | {"CHAT_SIGN_IN": "password", "CONFLUENCE_MCP_TOKEN": "t"}, "everybody the same"),
        (MCP | {"CHAT_SIGN_IN": "proxy", "CHAT_PROXY_ADDRESSES": "here"}, "CHAT_PROXY_ADDRESSES"),
        (MCP | {"CHAT_SIGN_IN": "password"}, "user add"),
        (MCP | {"CHAT_SIGN_IN": "oauth"}, "no provider"),
    ],
)
def test_settings_that_cannot_work_are_told_at_the_start(
    variables: dict[str, str], told: str
) -> None:
    with pytest.raises(SignInError, match=told):
        prepare(settings(variables), sign_in_from(settings(variables), "127.0.0.1"), {})


def test_the_secret_is_kept_privately_and_used_again(users: Users, tmp_path: Path) -> None:
    given = settings(MCP, chat_sign_in="password")
    first: dict[str, str] = {}
    second: dict[str, str] = {}

    for environment in (first, second):
        prepare(given, sign_in_from(given, "127.0.0.1"), environment)

    secret = tmp_path / "home" / "secret"
    assert first[SECRET] == second[SECRET] == secret.read_text()
    assert len(first[SECRET]) >= 64
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert [file.name for file in secret.parent.iterdir() if file.name.startswith(".")] == []
    with pytest.raises(SignInError, match=SECRET):
        prepare(given, sign_in_from(given, "127.0.0.1"), {SECRET: "short"})


def test_variables_of_a_provider_are_read_from_the_file_of_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OAUTH_GENERIC_CLIENT_ID=chat\nDATABASE_URL=x\n")
    given, environment = settings(MCP, chat_sign_in="oauth"), {"OAUTH_GENERIC_NAME": "here"}

    prepare(given, sign_in_from(given, "127.0.0.1"), environment)

    del environment[SECRET]
    assert environment == {"OAUTH_GENERIC_NAME": "here", "OAUTH_GENERIC_CLIENT_ID": "chat"}


class Inside:
    """What is behind the door: it notes who came, and with what."""

    def __init__(self) -> None:
        self.asked: Asked | None = None
        self.headers: dict[str, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked = asked()
        self.headers = {name.decode(): value.decode() for name, value in scope["headers"]}


def named(cookies: Mapping[str, str]) -> str | None:
    return cookies.get("access_token")


async def enter(
    identities: Identities,
    headers: Iterable[tuple[str, str]],
    variables: Mapping[str, str] | None = None,
    address: str = "127.0.0.1",
) -> Inside:
    """What a request looks like behind the door."""
    inside, sign_in = Inside(), sign_in_from(settings(variables or {}), "127.0.0.1")
    door = Door(
        inside, identities=identities, cookies=Cookies("access_token", named), proxy=sign_in.proxy
    )
    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope: dict[str, Any] = {"type": "http", "path": "/", "headers": raw, "client": (address, 9)}

    async def nothing(*_: object) -> Any:
        raise AssertionError("nothing is read or sent")

    await door(scope, nothing, nothing)
    assert asked() is None
    return inside


async def test_a_cookie_counts_only_while_its_person_is_known(users: Users) -> None:
    identities = Identities(users)
    headers = [("cookie", f"oauth_state=s; access_token={ADA}"), ("authorization", "Bearer x")]

    known = await enter(identities, headers)
    users.remove("ada")
    removed = await enter(identities, headers)

    assert known.asked is not None
    assert known.asked.person == ADA
    assert known.headers == {"cookie": f"oauth_state=s; access_token={ADA}"}
    assert removed.asked is not None
    assert removed.asked.person is None
    assert removed.headers == {"cookie": "oauth_state=s"}


@pytest.mark.parametrize(("accept", "later"), [("text/html,*/*", 0.0), ("*/*", 61.0)])
async def test_whoever_is_told_that_a_sign_in_has_ended_keeps_the_page_to_read_it(
    accept: str, later: float
) -> None:
    now = [1000.0]
    identities = Identities(clock=lambda: now[0])
    identities.bring("oauth:generic:7", "ended")
    cookie = ("cookie", "access_token=oauth:generic:7")

    identities.end("oauth:generic:7")
    token = identities.token_of("oauth:generic:7")
    reading = await enter(identities, [cookie, ("accept", "*/*")])
    now[0] += later
    loading = await enter(identities, [cookie, ("accept", accept)])
    after = await enter(identities, [cookie, ("accept", "*/*")])

    assert token is None
    people = [one.asked.person for one in (reading, loading, after) if one.asked]
    assert people == ["oauth:generic:7", None, None]


@pytest.mark.parametrize("person", [LOCAL, "proxy:ada", "oauth:generic:7", "password:eve", ""])
async def test_a_cookie_of_another_way_to_sign_in_is_no_one(users: Users, person: str) -> None:
    inside = await enter(Identities(users), [("cookie", f"access_token={person}")])

    assert inside.asked is not None
    assert inside.asked.person is None
    assert "access_token" not in str(inside.headers)


PROXIED = MCP | {"CHAT_SIGN_IN": "proxy", "CHAT_PROXY_ADDRESSES": "10.0.0.0/8, ::1"}
SAID = [("x-forwarded-email", "ada@example.com"), ("x-forwarded-access-token", "fresh")]


async def test_a_proxy_is_believed_at_its_own_address_alone() -> None:
    identities = Identities()
    cookie = ("cookie", "access_token=proxy:ada@example.com")

    elsewhere = await enter(identities, [*SAID, cookie], PROXIED, "11.0.0.1")
    known_elsewhere = identities.knows("proxy:ada@example.com")
    inside = await enter(identities, [*SAID, cookie], PROXIED, "10.1.2.3")

    assert elsewhere.asked is not None
    assert (elsewhere.asked.person, elsewhere.asked.proxied) == (None, None)
    assert not known_elsewhere
    assert inside.asked is not None
    assert inside.asked.person == inside.asked.proxied == "proxy:ada@example.com"
    token = identities.token_of("proxy:ada@example.com")
    assert token is not None
    assert token.get_secret_value() == "fresh"
    assert "fresh" not in repr(token)


async def test_whom_the_proxy_names_wins_over_the_cookie() -> None:
    identities = Identities()
    identities.bring("proxy:bob@example.com", "his")
    cookie = ("cookie", "access_token=proxy:bob@example.com")

    changed = await enter(identities, [*SAID, cookie], PROXIED, "::1")
    without = await enter(identities, [cookie], PROXIED, "::1")
    twice = await enter(identities, [*SAID, SAID[0], cookie], PROXIED, "::1")

    for one in (changed, without, twice):
        assert one.asked is not None
        assert one.asked.person is None
    assert changed.asked is not None
    assert changed.asked.proxied == "proxy:ada@example.com"
    assert twice.asked is not None
    assert twice.asked.proxied is None


async def test_requests_at_once_are_told_apart(users: Users) -> None:
    users.add("bob", "another password", "key-of-bob")
    identities = Identities(users)

    seen = await asyncio.gather(
        *(
            enter(identities, [("cookie", f"access_token=password:{name}")])
            for name in ["ada", "bob"]
        )
    )

    assert [one.asked.person for one in seen if one.asked] == [ADA, "password:bob"]


async def test_behind_https_cookies_are_for_https_alone(users: Users) -> None:
    sent: list[Message] = []

    async def sets_cookies(scope: Scope, receive: Receive, send: Send) -> None:
        cookies = [(b"set-cookie", b"a=1; Path=/"), (b"Set-Cookie", b"b=2; secure"), (b"x", b"y")]
        await send({"type": "http.response.start", "status": 200, "headers": cookies})

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    async def send(message: Message) -> None:
        sent.append(message)

    cookies = Cookies("access_token", named, secure=True)
    door = Door(sets_cookies, identities=Identities(users), cookies=cookies)

    await door({"type": "http", "path": "/", "headers": [], "client": None}, receive, send)

    assert [value for _, value in sent[0]["headers"]] == [
        b"a=1; Path=/; Secure",
        b"b=2; secure",
        b"y",
    ]
