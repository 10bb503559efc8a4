"""Two people at one chat: each sees what is theirs, and finds it again."""

import base64
import hashlib
import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import psycopg
import pytest
from anyio.from_thread import start_blocking_portal
from playwright.sync_api import Browser, ViewportSize, expect
from psycopg import sql

from index.api_keys import ApiKeys
from index.database import Database
from index.embedded_postgres import DATABASE
from index.settings import IndexSettings
from tests.clients.conftest import CLIENTS, Chats, ChatTab, RunningChat
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint, ToolCall, openai_endpoint
from tests.server.asking import variables_for
from tests.server.processes import http_server
from tests.server.wiki import ARTICLES, Wiki, take_in

PASSWORDS = {"ada": "the engine of ada", "bob": "the noise of bob"}
ACCOUNTS = {"ada": "acc-ada", "bob": "acc-bob", "visitor": "acc-ada", "proxied": "acc-ada"}
Env = dict[str, str]
Somebody = Callable[..., AbstractContextManager[ChatTab]]
QUESTION = "How do I roll a database back?"
SNAPSHOT = "snapshot of the night before"
WAIT = 60_000


@dataclass(frozen=True, slots=True)
class Office:
    """A chat with its database, and the keys of its people."""

    chat: RunningChat
    database_url: str
    keys: dict[str, str]
    environment: dict[str, str]

    def command(self, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """The chat's command line."""
        return run(self.environment, *arguments, said=said)


def run(
    environment: dict[str, str], *arguments: str, said: str = ""
) -> subprocess.CompletedProcess[str]:
    python = CLIENTS / ".venv" / "bin" / "python"
    return subprocess.run(
        [str(python), str(CLIENTS / "chat.py"), *arguments],
        input=said, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"]} | environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def endpoint() -> Iterator[OpenAIEndpoint]:
    with openai_endpoint(reply=looks_up) as endpoint:
        yield endpoint


def looks_up(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
    """A model that searches for each question, and tells what it was told before."""
    asked = [one["content"] for one in messages if one["role"] == "user"]
    if messages[-1]["role"] != "tool":
        return [ToolCall("search_confluence", {"query": "roll a database back snapshot"})]
    found = re.search(r"\[(\d+)\] Rollback: databases", messages[-1]["content"])
    said = f"Use the snapshot [{found[1]}]." if found else "The wiki does not say."
    return f"{said} So far: {' / '.join(asked)}"


@dataclass(frozen=True, slots=True)
class Served:
    """A server that tells people apart, and a key for each of them."""

    url: str
    keys: dict[str, str]
    settings: IndexSettings

    def revoke(self, name: str) -> None:
        """Ends a key."""

        async def end() -> None:
            async with Database.open(self.settings, application_name="tests") as database:
                await ApiKeys(database).revoke(name)

        with start_blocking_portal() as portal:
            portal.call(end)


@pytest.fixture(scope="module")
def served(
    postgres: Postgres,
    migrated_template: str,
    endpoint: OpenAIEndpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Served]:
    with postgres.copy_of(migrated_template) as wiki:
        variables = variables_for(postgres.url(wiki), endpoint)
        settings = IndexSettings.model_validate(variables.as_fields())

        async def fill() -> dict[str, str]:
            await take_in(settings, Wiki(ARTICLES))
            async with Database.open(settings, application_name="tests") as database:
                keys = ApiKeys(database)
                return {name: await keys.create(name, ACCOUNTS[name]) for name in ACCOUNTS}

        with start_blocking_portal() as portal:
            keys = portal.call(fill)
        environment = variables.as_environment() | {"AUTH_API_KEYS": "true"}
        with http_server(environment, tmp_path_factory.mktemp("server")) as (_, url):
            yield Served(f"{url}/mcp", keys, settings)


@pytest.fixture(scope="module")
def base(served: Served, endpoint: OpenAIEndpoint, tmp_path_factory: pytest.TempPathFactory) -> Env:
    """Variables of each chat here; how people sign in is missing."""
    return {
        "CHAT_HOME": str(tmp_path_factory.mktemp("home")),
        "CONFLUENCE_MCP_URL": served.url,
        "OPENAI_BASE_URL": endpoint.url,
        "OPENAI_API_KEY": "test-key",
        "CHAT_MODEL": "scripted",
    }


@pytest.fixture(scope="module")
def office(postgres: Postgres, served: Served, base: Env, chats: Chats) -> Generator[Office]:
    with postgres.copy_of(DATABASE) as name, provider(served.keys["visitor"]) as oauth:
        kept = postgres.url(name)
        environment = base | oauth
        environment |= {"CHAT_SIGN_IN": "password, oauth", "CHAT_DATABASE_URL": kept}
        for user, password in PASSWORDS.items():
            said = f"{password}\n{served.keys[user]}\n"
            added = run(environment, "user", "add", user, said=said)
            assert added.returncode == 0, added.stderr
        with chats(environment) as chat:
            yield Office(chat, kept, served.keys, environment)


@dataclass(frozen=True, slots=True)
class Asked:
    """A conversation of Ada's."""

    thread_id: str
    answer: str


@pytest.fixture(scope="module")
def hers(somebody: Somebody, office: Office) -> Asked:
    """What she was told of a page that others may not read."""
    with somebody() as ada:
        signed_in(ada, office, "ada")
        answer = ada.ask(QUESTION)
        ada.page.wait_for_url("**/thread/*")
        return Asked(ada.page.url.rpartition("/")[2], answer)


@pytest.fixture(scope="module")
def somebody(browser: Browser, pictures: Path) -> Somebody:
    """Opens a browser of somebody's own, with headers such as a proxy adds."""

    @contextmanager
    def opened(**headers: str) -> Generator[ChatTab]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        size: ViewportSize = {"width": 1280, "height": 860}
        context = browser.new_context(viewport=size, extra_http_headers=named)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        try:
            yield ChatTab(page, pictures)
        finally:
            context.close()

    return opened


def sign_in(tab: ChatTab, office: Office, name: str, password: str | None = None) -> None:
    tab.page.goto(office.chat.url)
    tab.page.locator("input#email").fill(name)
    tab.page.locator("input#password").fill(password or PASSWORDS[name])
    tab.page.locator("button[type=submit]").click()


def signed_in(tab: ChatTab, office: Office, name: str) -> None:
    sign_in(tab, office, name)
    tab.page.wait_for_selector("#chat-input")


def delete(tab: ChatTab, name: str) -> None:
    thread = tab.page.locator("#thread-history a", has_text=name)
    thread.hover()
    thread.locator("#thread-options").click()
    tab.page.locator("#delete-thread").click()
    tab.page.get_by_role("button", name="Confirm").click()
    expect(thread).to_have_count(0)


def test_two_people_see_different_answers_and_only_their_own_conversations(
    somebody: Somebody, office: Office, hers: Asked
) -> None:
    with somebody() as bob:
        signed_in(bob, office, "bob")

        his = bob.ask(QUESTION)
        bob.page.goto(f"{office.chat.url}/thread/{hers.thread_id}")

        assert hers.answer.startswith("Use the snapshot")
        assert his.startswith("The wiki does not say.")
        expect(bob.page.get_by_text("Thread not found")).to_be_visible()
        assert bob.page.locator("[data-step-type]").count() == 0
        assert SNAPSHOT not in bob.page.content()
        assert bob.page.locator(f"a[href*='{hers.thread_id}']").count() == 0


def test_a_conversation_is_found_after_a_reload_and_gone_on_with(
    somebody: Somebody, office: Office
) -> None:
    with somebody() as ada:
        signed_in(ada, office, "ada")
        ada.ask(QUESTION)
        shown = ada.source("[1]").inner_text()

        ada.page.reload()
        ada.page.locator("[data-step-type=assistant_message]").wait_for()
        kept = ada.source("[1]").inner_text()
        answer = ada.ask("And at night?")

        assert SNAPSHOT in shown
        assert kept == shown
        assert ada.steps()[0].startswith("Searching")
        assert f"So far: {QUESTION} / And at night?" in answer
        assert "[1]" in answer  # the passage has the number that it had before the reload
        assert ada.source("[1]").inner_text() == shown


def test_a_deleted_conversation_is_gone(somebody: Somebody, office: Office) -> None:
    with somebody() as bob:
        signed_in(bob, office, "bob")
        bob.ask("Is this to be forgotten?")

        delete(bob, "Is this to be forgotten?")

    assert "Is this to be forgotten?" not in everything_kept(office)


def test_a_conversation_that_is_deleted_while_it_is_answered_does_not_come_back(
    somebody: Somebody, office: Office, endpoint: OpenAIEndpoint
) -> None:
    may_answer = Event()

    def waits(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Any:
        assert messages[-1]["role"] != "tool" or may_answer.wait(60)
        return looks_up(messages, tools)

    endpoint.reply = waits
    with somebody() as bob:
        signed_in(bob, office, "bob")
        try:
            bob.send("Is this to vanish?")
            bob.page.locator("[data-step-type=tool]", has_text="passages").wait_for()
            delete(bob, "Is this to vanish?")
        finally:
            may_answer.set()
            endpoint.reply = looks_up
        bob.ask("Is this to stay?")
        kept = kept_once(office, "Is this to stay?")

    assert "Is this to vanish?" not in kept


def test_thumbs_are_exported_with_their_questions(somebody: Somebody, office: Office) -> None:
    with somebody() as ada:
        signed_in(ada, office, "ada")
        ada.ask(QUESTION)
        ada.ask("Which of them?")

        ada.page.locator(".negative-feedback-off").last.click()
        ada.page.get_by_role("dialog").locator("textarea").fill("Too short.")
        ada.page.locator("#submit-feedback").click()
        ada.page.locator(".negative-feedback-on").wait_for()
        ada.page.reload()
        ada.page.locator(".negative-feedback-on").wait_for()

    exported = office.command("feedback", "export")
    (line,) = [json.loads(line) for line in exported.stdout.splitlines()]
    assert line.pop("at").startswith("20")
    assert line == {
        "question": "Which of them?",
        "history": [
            {"role": "user", "content": QUESTION},
            {"role": "assistant", "content": f"Use the snapshot [1]. So far: {QUESTION}"},
        ],
        "rating": "down",
        "answer": f"Use the snapshot [1]. So far: {QUESTION} / Which of them?",
        "cited": ["102"],
        "comment": "Too short.",
    }


def test_a_wrong_password_is_refused_and_guessing_is_slowed_down(
    somebody: Somebody, office: Office
) -> None:
    with somebody() as eve:
        sign_in(eve, office, "eve", "the engine of ada")
        expect(eve.page.get_by_role("alert")).to_have_text("Unable to sign in")

    office.command("user", "add", "dora", said="the door of dora\nkey\n")
    with httpx.Client(base_url=office.chat.url) as client:
        tries = [client.post("/login", data=login("dora", str(n))).status_code for n in range(5)]
        right = client.post("/login", data=login("dora", "the door of dora"))

    assert {*tries, right.status_code} == {401}


def test_the_browser_is_given_no_key_and_gets_nothing_for_ids_of_others(
    office: Office, hers: Asked
) -> None:
    with visit(office, "bob") as bob, psycopg.connect(office.database_url) as connection:
        user = bob.get("/user")
        (cookie,) = [value for name, value in bob.cookies.items() if name == "access_token"]
        claims = base64.urlsafe_b64decode(cookie.split(".")[1] + "==").decode()
        steps = connection.execute(
            "SELECT step_id FROM chat.step WHERE thread_id = %s", [hers.thread_id]
        ).fetchall()
        answers = [one for (step,) in steps for one in guesses(bob, hers.thread_id, step)]

    kept = everything_kept(office)
    assert user.json()["identifier"] == json.loads(claims)["identifier"] == "password:bob"
    assert len(steps) >= 4
    assert not [answer for answer in answers if answer.is_success]
    assert SNAPSHOT not in "".join(answer.text for answer in answers)
    assert SNAPSHOT in kept
    for key in office.keys.values():
        assert key not in kept + claims + user.text


def test_an_own_conversation_cannot_be_shown_to_everybody(office: Office, hers: Asked) -> None:
    share = {"threadId": hers.thread_id, "isShared": True}
    with visit(office, "ada") as ada, httpx.Client(base_url=office.chat.url) as anybody:
        own = ada.get(f"/project/thread/{hers.thread_id}")
        ada.put("/project/thread/share", json=share)
        shown = [one.get(f"/project/share/{hers.thread_id}") for one in (ada, anybody)]

    assert own.json()["id"] == hers.thread_id
    assert [answer.status_code for answer in shown] == [404, 401]


def test_a_key_that_ends_is_told_and_a_user_who_is_removed_is_out(
    somebody: Somebody, office: Office
) -> None:
    with somebody() as cleo:
        said = "the needle of cleo\nno-key-of-this-server\n"
        office.command("user", "add", "cleo", said=said)
        sign_in(cleo, office, "cleo", "the needle of cleo")

        told = cleo.page.locator("[data-step-type=assistant_message]").inner_text()
        office.command("user", "remove", "cleo")
        cleo.page.reload()
        cleo.page.locator("input#password").wait_for()

    assert "does not take your key" in told


def test_whoever_a_provider_lets_in_asks_with_the_token_that_it_gave(
    somebody: Somebody, served: Served, office: Office
) -> None:
    with somebody() as visitor:
        visitor.page.goto(office.chat.url)
        visitor.page.get_by_role("button", name="Continue with").click()
        visitor.page.wait_for_selector("#chat-input")
        answer = visitor.ask(QUESTION)
        cookies = visitor.page.context.cookies()
        served.revoke("visitor")
        ended = visitor.ask("And now?")
        visitor.page.reload()
        visitor.page.get_by_role("button", name="Continue with").wait_for()

    assert answer.startswith("Use the snapshot")
    assert ended.startswith("Your sign-in has ended. Reload the page and sign in again.")
    assert served.keys["visitor"] not in str(cookies)


def test_whom_a_proxy_names_below_its_path_asks_with_the_token_that_it_adds(
    somebody: Somebody, served: Served, base: Env, chats: Chats
) -> None:
    added = {
        "X_Forwarded_Email": "ada@example.com",
        "X_Forwarded_Access_Token": served.keys["proxied"],
        "X_Forwarded_For": "203.0.113.7",
    }
    with (
        chats(base | {"CHAT_SIGN_IN": "proxy", "CHAINLIT_ROOT_PATH": "/wiki/"}) as chat,
        somebody(**added) as proxied,
        httpx.Client(base_url=chat.url) as direct,
    ):
        proxied.page.goto(f"{chat.url}/wiki/")
        proxied.page.wait_for_selector("#chat-input")
        answer = proxied.ask(QUESTION)
        source = proxied.source("[1]").inner_text()
        refused = direct.post("/wiki/auth/header")
        health = direct.get("/wiki/health")
        elsewhere = direct.get("/health")

    assert answer.startswith("Use the snapshot")
    assert SNAPSHOT in source
    assert refused.status_code == 401
    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert elsewhere.status_code == 404


@contextmanager
def provider(token: str) -> Generator[Env]:
    """Variables of an identity provider that lets everybody in as Ada."""

    challenges: list[str] = []

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            if self.path.startswith("/authorize"):
                challenges.append(asked["code_challenge"][0])
                assert asked["code_challenge_method"] == ["S256"]
                back = {"code": "once", "state": asked["state"][0]}
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri'][0]}?{urlencode(back)}")
                self.end_headers()
                return
            assert self.headers["Authorization"] == f"Bearer {token}"
            self.answer({"sub": "7", "email": "ada@example.com"})

        def do_POST(self) -> None:
            said = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            assert said["code"] == ["once"]
            proof = hashlib.sha256(said["code_verifier"][0].encode()).digest()
            assert base64.urlsafe_b64encode(proof).decode().rstrip("=") == challenges.pop()
            self.answer({"access_token": token, "token_type": "Bearer"})

        def answer(self, said: dict[str, str]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_port}"
        addresses = {"AUTH_URL": "authorize", "TOKEN_URL": "token", "USER_INFO_URL": "user"}
        given = {"CLIENT_ID": "chat", "CLIENT_SECRET": "secret", "SCOPES": "openid"}
        given |= {name: f"{url}/{path}" for name, path in addresses.items()}
        yield {f"OAUTH_GENERIC_{name}": value for name, value in given.items()}
        server.shutdown()


def guesses(client: httpx.Client, thread: object, step: object) -> list[httpx.Response]:
    """What somebody gets who knows the ids of another's conversation."""
    rating = {"forId": str(step), "value": 0, "comment": "mine"}
    session = {"sessionId": str(uuid.uuid4())}
    return [
        client.get(f"/project/thread/{thread}"),
        client.get(f"/project/share/{thread}"),
        client.get(f"/project/thread/{thread}/element/{step}"),
        client.put("/project/thread", json={"threadId": str(thread), "name": "mine"}),
        client.put("/feedback", json={"feedback": rating} | session),
    ]


def login(name: str, password: str) -> dict[str, str]:
    return {"username": name, "password": password}


@contextmanager
def visit(office: Office, name: str) -> Generator[httpx.Client]:
    """Somebody signed in without a browser, from an address whose failures are not counted."""
    with httpx.Client(base_url=office.chat.url) as client:
        client.post("/login", data=login(name, PASSWORDS[name])).raise_for_status()
        yield client


def kept_once(office: Office, words: str) -> str:
    """The same, once these words are in it: the chat shows an answer before it has kept it."""
    deadline = time.monotonic() + WAIT / 1000
    while words not in (kept := everything_kept(office)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return kept


def everything_kept(office: Office) -> str:
    """All rows of all tables of the chat, as text."""
    with psycopg.connect(office.database_url) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'chat' ORDER BY tablename"
        ).fetchall()
        assert len(tables) == 9
        return "\n".join(
            str(connection.execute(
                sql.SQL("SELECT * FROM chat.{}").format(sql.Identifier(name))
            ).fetchall())
            for (name,) in tables
        )  # fmt: skip
