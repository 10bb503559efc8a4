"""The door for webhooks: who is let in, and what is taken from what they bring."""

import hashlib
import hmac
import json
import socket
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from index.errors import BadRequest, ConfigurationError
from index.hints import CHANNEL
from server.settings import ServerSettings
from server.webhooks import LARGEST, named_pages
from tests.conftest import Postgres
from tests.openai_endpoint import OpenAIEndpoint
from tests.server.asking import Variables, variables_for
from tests.server.outages import outage
from tests.server.processes import http_server

SECRET = "a wombat guards this door"
UPDATED = {"timestamp": 1778071365412, "event": "page_updated", "page": {"id": 123456}}
BEARER = {"Authorization": f"Bearer {SECRET}"}
NOTED = "DELETE FROM page_hint RETURNING page_id"


@dataclass(frozen=True, slots=True)
class Hooked:
    """A running server with webhooks, and the index that it writes to."""

    url: str
    database_url: str
    name: str

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        """What the server answers to a request with these headers, `_` standing for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(f"{self.url}/webhooks/confluence", content=body, headers=named)

    def noted(self) -> set[str]:
        """The pages that wait to be looked at; forgets them."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return {row[0] for row in connection.execute(NOTED)}


def signature(body: bytes, secret: str = SECRET) -> str:
    """What Confluence Data Center puts into X-Hub-Signature."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def payload(**named: object) -> bytes:
    """A body as senders write it."""
    return json.dumps(named).encode()


@pytest.fixture(scope="module")
def server(
    postgres: Postgres,
    migrated_template: str,
    shared_endpoint: OpenAIEndpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Generator[Hooked]:
    """A server with webhooks over an empty index."""
    with postgres.copy_of(migrated_template) as name:
        variables = variables_for(postgres.url(name), shared_endpoint).as_environment()
        folder = tmp_path_factory.mktemp("hooked")
        with http_server(variables | {"CONFLUENCE_WEBHOOK_SECRET": SECRET}, folder) as (_, url):
            yield Hooked(url, postgres.url(name), name)


@pytest.fixture
def hooked(server: Hooked) -> Iterator[Hooked]:
    """The same with no page noted, before and after."""
    server.noted()
    yield server
    assert server.noted() == set()


def test_a_signed_event_is_noted(hooked: Hooked) -> None:
    body = payload(**UPDATED)

    answer = hooked.post(body, x_hub_signature=signature(body))

    assert (answer.status_code, answer.json()) == (202, {"pages": 1})
    assert hooked.noted() == {"123456"}


def test_the_digest_may_stand_alone_and_in_capitals(hooked: Hooked) -> None:
    body = payload(**UPDATED)

    answer = hooked.post(body, x_hub_signature=signature(body).removeprefix("sha256=").upper())

    assert answer.status_code == 202
    assert hooked.noted() == {"123456"}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_a_rule_of_cloud_sends_the_secret_itself(hooked: Hooked, scheme: str) -> None:
    answer = hooked.post(payload(page={"id": "77"}), authorization=f"{scheme} {SECRET}")

    assert answer.status_code == 202
    assert hooked.noted() == {"77"}


def test_the_same_page_may_be_named_again_and_again(hooked: Hooked) -> None:
    codes = {hooked.post(payload(id=5), **BEARER).status_code for _ in range(3)}

    assert codes == {202}
    assert hooked.noted() == {"5"}


def test_those_who_wait_for_hints_are_woken(hooked: Hooked) -> None:
    with psycopg.connect(hooked.database_url, autocommit=True) as waiting:
        waiting.execute(f"LISTEN {CHANNEL}")
        hooked.post(payload(id=5), **BEARER)
        notices = list(waiting.notifies(timeout=30, stop_after=1))

    assert [notice.channel for notice in notices] == [CHANNEL]
    assert hooked.noted() == {"5"}


BODY = payload(**UPDATED)
WRONG = {
    "no proof": {},
    "another secret": {"x_hub_signature": signature(BODY, "another secret of a wombat")},
    "an empty signature": {"x_hub_signature": ""},
    "a prefix alone": {"x_hub_signature": "sha256="},
    "half a signature": {"x_hub_signature": signature(BODY)[:40]},
    "a signature of another body": {"x_hub_signature": signature(payload(page={"id": 1}))},
    "another algorithm": {
        "x_hub_signature": "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()
    },
    "a signature with an empty key": {"x_hub_signature": signature(BODY, "")},
    "signs that are not ASCII": {"x_hub_signature": "sha256=\xe4\xf6"},
    "another token": {"authorization": "Bearer another secret of a wombat"},
    "a part of the token": {"authorization": f"Bearer {SECRET[:-1]}"},
    "no token": {"authorization": "Bearer"},
    "another scheme": {"authorization": f"Basic {SECRET}"},
    "a wrong signature beside the right token": {
        "x_hub_signature": signature(BODY, "another secret of a wombat"),
        "authorization": f"Bearer {SECRET}",
    },
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG)
def test_who_cannot_prove_the_secret_is_refused_without_a_word_why(
    hooked: Hooked, headers: dict[str, str]
) -> None:
    raw = {
        name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()
    }

    answer = httpx.post(f"{hooked.url}/webhooks/confluence", content=BODY, headers=raw)

    assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized."})


def test_a_signature_is_of_the_bytes_and_not_of_what_they_mean(hooked: Hooked) -> None:
    answer = hooked.post(BODY.replace(b" ", b""), x_hub_signature=signature(BODY))

    assert answer.status_code == 401


@pytest.mark.parametrize("length", [LARGEST + 1, 50 * LARGEST])
def test_a_large_body_is_refused(hooked: Hooked, length: int) -> None:
    answer = hooked.post(b" " * length, **BEARER)

    assert answer.status_code == 413


def test_a_large_body_of_unknown_length_is_refused(hooked: Hooked) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(3):
            yield b" " * (LARGEST // 2)

    answer = httpx.post(f"{hooked.url}/webhooks/confluence", content=parts(), headers=BEARER)

    assert answer.status_code == 413


def test_the_largest_body_is_read(hooked: Hooked) -> None:
    body = payload(id=8)

    answer = hooked.post(body + b" " * (LARGEST - len(body)), **BEARER)

    assert answer.status_code == 202
    assert hooked.noted() == {"8"}


GARBAGE = {
    "nothing": b"",
    "no JSON": b"page_updated 123",
    "no text": b"\xff\xfe\x00",
    "a list": b'[{"id": 1}]',
    "a number": b"123",
    "null": b"null",
    "no page": b"{}",
    "half": BODY[:-3],
    "very deep": b'{"page":' * 8_000,
    "a very large number": b'{"id": ' + b"9" * 9_000 + b"}",
    "a page of another shape": b'{"page": [123]}',
    "a page without an id": b'{"page": {"title": "VPN"}}',
    "words": b'{"page": {"id": "VPN"}}',
    "a path": b'{"page": {"id": "12/../../space"}}',
    "SQL": b'{"page": {"id": "1; DROP TABLE page"}}',
    "a line break": b'{"page": {"id": "12\\n"}}',
    "a NUL": b'{"page": {"id": "12\\u0000"}}',
    "digits of another script": '{"page": {"id": "١٢"}}'.encode(),
    "a negative": b'{"page": {"id": -5}}',
    "a fraction": b'{"page": {"id": 1.5}}',
    "true": b'{"page": {"id": true}}',
    "too many digits": b'{"page": {"id": "12345678901234567890"}}',
    "a placeholder": b'{"page": {"id": "{{page.id}}"}}',
}


@pytest.mark.parametrize("body", GARBAGE.values(), ids=GARBAGE)
def test_what_names_no_page_is_refused(hooked: Hooked, body: bytes) -> None:
    answer = hooked.post(body, x_hub_signature=signature(body))

    assert answer.status_code == 400
    assert '{"page": {"id": 123}}' in answer.json()["error"]


@pytest.mark.parametrize(
    ("named", "page_ids"),
    [
        (UPDATED, {"123456"}),
        ({"event": "blog_created", "userKey": "ab", "blog": {"id": 234567}}, {"234567"}),
        ({"eventType": "x", "content": {"id": "9", "type": "page", "title": "VPN"}}, {"9"}),
        ({"blogpost": {"id": "10"}}, {"10"}),
        ({"event": "comment_created", "comment": {"id": 1, "container": {"id": 11}}}, {"11"}),
        ({"attachment": {"id": "att1", "page": {"id": "12"}}}, {"12"}),
        ({"attachedTo": {"id": 13}, "attachments": [{"id": 2}]}, {"13"}),
        ({"id": 14, "page": {"id": "15"}}, {"14", "15"}),
        ({"page": {"id": 16}, "comment": None}, {"16"}),
        # What hangs on a page that they do not name is found by the next run of the ingest.
        ({"event": "comment_updated", "comment": {"id": 789012}}, set[str]()),
        ({"event": "space_updated", "space": {"key": "ENG"}}, set[str]()),
        ({"test": True}, set[str]()),
    ],
)
def test_ids_of_pages_are_taken_from_every_shape(
    named: dict[str, object], page_ids: set[str]
) -> None:
    assert named_pages(payload(**named)) == page_ids


def test_an_event_of_no_page_is_accepted_and_changes_nothing(hooked: Hooked) -> None:
    answer = hooked.post(payload(event="space_updated", space={"key": "ENG"}), **BEARER)

    assert (answer.status_code, answer.json()) == (202, {"pages": 0})


def test_an_error_says_what_is_wanted_and_nothing_of_what_came() -> None:
    with pytest.raises(BadRequest) as caught:
        named_pages(b'{"page": {"id": "hush"}}')

    assert "hush" not in str(caught.value)


def test_a_proxy_may_bring_its_own_host_here_but_not_to_the_tools(hooked: Hooked) -> None:
    host = {"Host": "wiki-search.example.com"}

    answer = httpx.post(
        f"{hooked.url}/webhooks/confluence", content=payload(id=6), headers=BEARER | host
    )
    tools = httpx.post(f"{hooked.url}/mcp", json={}, headers=host)

    assert (answer.status_code, tools.status_code) == (202, 421)
    assert hooked.noted() == {"6"}


def test_only_posts_are_taken(hooked: Hooked) -> None:
    assert httpx.get(f"{hooked.url}/webhooks/confluence", headers=BEARER).status_code == 405


def test_a_sender_that_goes_in_the_middle_does_no_harm(hooked: Hooked) -> None:
    address = urlsplit(hooked.url)
    with socket.create_connection((address.hostname, address.port)) as sender:
        sender.sendall(
            b"POST /webhooks/confluence HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n"
            + f"Authorization: Bearer {SECRET}\r\n\r\n".encode()
            + b'{"id": 1'
        )

    assert hooked.post(payload(id=2), **BEARER).status_code == 202
    assert hooked.noted() == {"2"}


def test_an_index_that_is_away_is_told_and_gets_over(postgres: Postgres, hooked: Hooked) -> None:
    with outage(postgres, hooked.name):
        during = httpx.post(
            f"{hooked.url}/webhooks/confluence", content=payload(id=3), headers=BEARER, timeout=60
        )
    after = httpx.post(
        f"{hooked.url}/webhooks/confluence", content=payload(id=4), headers=BEARER, timeout=60
    )

    assert (during.status_code, after.status_code) == (503, 202)
    assert int(during.headers["Retry-After"]) > 0
    assert hooked.noted() == {"4"}


def test_without_a_secret_there_is_no_such_address(variables: Variables, tmp_path: Path) -> None:
    with http_server(variables.as_environment(), tmp_path) as (_, url):
        answer = httpx.post(f"{url}/webhooks/confluence", content=BODY, headers=BEARER)

    assert answer.status_code == 404


def test_a_short_secret_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFLUENCE_WEBHOOK_SECRET", "hush-hush")

    with pytest.raises(ConfigurationError) as caught:
        ServerSettings.load()

    assert "CONFLUENCE_WEBHOOK_SECRET" in str(caught.value)
    assert "hush" not in str(caught.value)
