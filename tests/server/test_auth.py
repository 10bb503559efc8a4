"""Who a caller over HTTP is taken for, asked by real clients with tokens of a real provider."""

import time
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace

import pytest

from index.api_keys import ApiKeys
from index.database import Database
from server.jwks import DISTANCE
from tests.server.callers import Door, door, who
from tests.server.checking import expected
from tests.server.signing import Issuer, by_hand, issuer, packed, public_pem, rsa_key

pytestmark = pytest.mark.anyio

METADATA = "https://wiki-search.example.com/.well-known/oauth-protected-resource/mcp"
ADA = {"email": "ada@example.com", "email_verified": True}

ACCOUNTS = """
INSERT INTO site (url) VALUES ('https://one.example.com/wiki'), ('https://two.example.com/wiki');
INSERT INTO account (site_id, account_id, username, email, is_active, classes, checked_at)
SELECT site.id, account.account_id, account.username, account.email, account.is_active, '{}', now()
FROM site JOIN (VALUES
    ('one', '712020:ada', NULL, 'Ada@Example.com', true),
    ('two', 'ff80', 'ada', 'ada@example.com', true),
    ('one', '712020:bob', NULL, 'bob@example.com', true),
    ('one', '712020:eve', NULL, 'eve@example.com', false),
    ('one', '712020:tom', NULL, 'twins@example.com', true),
    ('one', '712020:tim', NULL, 'twins@example.com', true)
) AS account (site, account_id, username, email, is_active)
ON site.url LIKE 'https://' || account.site || '.%'
"""
NUMBERS = "SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM account WHERE account_id = ANY(%s)"


@pytest.fixture
def provider() -> Generator[Issuer]:
    """A provider of the test's own."""
    with issuer() as provider:
        yield provider


@pytest.fixture
async def people(database: Database) -> Database:
    """An index that knows some accounts on two sites."""
    async with database.pool.connection() as connection:
        await connection.execute(ACCOUNTS)
    return database


@pytest.fixture
async def mcp(people: Database, provider: Issuer) -> AsyncGenerator[Door]:
    """A server that takes tokens of the provider, and keys."""
    async with door(people, expected(provider)) as mcp:
        yield mcp


async def numbers(database: Database, *account_ids: str) -> list[int]:
    """The index's numbers of some accounts."""
    async with database.pool.connection() as connection:
        row = await (await connection.execute(NUMBERS, [list(account_ids)])).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_verified_address_is_that_of_accounts_on_each_site(
    people: Database, provider: Issuer, mcp: Door, mode: str
) -> None:
    async with mcp.client(provider.token(ADA, email="ADA@example.COM"), mode) as client:
        told = await who(client)

    assert told.name == "sub:ada-1"
    assert told.accounts == await numbers(people, "712020:ada", "ff80")


STRANGERS: dict[str, dict[str, object]] = {
    "address of which nothing is said": {"email": "ada@example.com"},
    "address not verified": {"email": "ada@example.com", "email_verified": False},
    "address verified by a text": {"email": "ada@example.com", "email_verified": "true"},
    "unknown address": {"email": "nobody@example.com", "email_verified": True},
    "deactivated account": {"email": "eve@example.com", "email_verified": True},
    "two accounts of one address": {"email": "twins@example.com", "email_verified": True},
    "account id for an address": {"email": "712020:ada", "email_verified": True},
    "user name for an address": {"email": "ada", "email_verified": True},
    "pattern": {"email": "%@example.com", "email_verified": True},
    "nothing": {},
    "other claims": {"preferred_username": "ada", "sub": "712020:ada"},
}


async def test_whoever_is_not_one_account_for_sure_has_none(provider: Issuer, mcp: Door) -> None:
    told = {why: await mcp.who(provider.token(claims)) for why, claims in STRANGERS.items()}

    assert {why: one.accounts for why, one in told.items() if one.accounts != []} == {}


async def test_a_lost_account_bites_at_the_next_call(
    people: Database, provider: Issuer, mcp: Door
) -> None:
    async with mcp.client(provider.token(ADA)) as client:
        before = await who(client)
        async with people.pool.connection() as connection:
            await connection.execute("UPDATE account SET is_active = false")
        after = await who(client)

    assert before.accounts != []
    assert after.accounts == []


SUBJECTS = {
    "712020:ada": ["712020:ada"],
    "ff80": ["ff80"],
    "ADA": ["ff80"],
    "712020:eve": [],
    "ada@example.com": [],
    "712020:": [],
}


async def test_another_claim_names_an_account_by_its_id(people: Database, provider: Issuer) -> None:
    async with door(people, replace(expected(provider), account_claim="sub")) as mcp:
        told = {subject: await mcp.who(provider.token(ADA, sub=subject)) for subject in SUBJECTS}

    assert {subject: one.accounts for subject, one in told.items()} == {
        subject: await numbers(people, *ids) for subject, ids in SUBJECTS.items()
    }


async def test_without_a_token_a_client_is_told_where_to_get_one(mcp: Door) -> None:
    refused = await mcp.post()

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == f'Bearer resource_metadata="{METADATA}"'


def worthless(provider: Issuer) -> dict[str, str]:
    """Tokens that do not hold, by what is wrong with them."""
    now, claims = int(time.time()), provider.claims(ADA)
    return {
        "garbage": "garbage",
        "no token of JSON": "a.b.c",
        "no key": "cmcp_" + "A" * 43,
        "expired": provider.token(ADA, exp=now - 120),
        "not yet valid": provider.token(ADA, nbf=now + 120),
        "issuer": provider.token(ADA, iss="https://other.example.com"),
        "audience": provider.token(ADA, aud="https://other.example.com/mcp"),
        "signed by another": provider.token(ADA, key=rsa_key()),
        "unknown kid": provider.token(ADA, headers={"kid": "unknown"}),
        "HS256 with the public key": by_hand("HS256", public_pem(provider.key), claims),
        "not signed": f"{packed({'alg': 'none'})}.{packed(claims)}.",
    }


async def test_a_token_that_does_not_hold_is_refused_without_a_reason(
    provider: Issuer, mcp: Door
) -> None:
    refused = {why: await mcp.bring(token) for why, token in worthless(provider).items()}

    text = "The token does not hold here."
    challenge = (
        f'Bearer error="invalid_token", error_description="{text}", resource_metadata="{METADATA}"'
    )
    body = {"error": "invalid_token", "error_description": text}
    assert {
        why: (answer.status_code, answer.headers["www-authenticate"], answer.json())
        for why, answer in refused.items()
    } == dict.fromkeys(refused, (401, challenge, body))


FORMS = ["", "Bearer", "Basic YTpi", "{0}", "Bearer {0} {0}", "Bearer {0}, x", "Token {0}",
         "Bearer\t{0}", "Bearer:{0}"]  # fmt: skip


async def test_a_token_comes_in_the_form_of_a_bearer(provider: Issuer, mcp: Door) -> None:
    token = provider.token(ADA)

    codes = {
        form: (await mcp.post(("Authorization", form.format(token)))).status_code for form in FORMS
    }
    lower = await mcp.post(("authorization", f"bearer {token}"))

    assert codes == dict.fromkeys(FORMS, 401)
    assert lower.status_code == 200


async def test_two_tokens_at_once_are_none(provider: Issuer, mcp: Door) -> None:
    given = [("Authorization", f"Bearer {provider.token(ADA)}") for _ in range(2)]

    assert (await mcp.post(*given)).status_code == 401


async def test_a_token_in_the_address_is_not_looked_at(provider: Issuer, mcp: Door) -> None:
    refused = await mcp.get(f"/mcp?access_token={provider.token(ADA)}")

    assert refused.status_code == 401


CLOSED = ["/mcp", "/mcp/", "//mcp", "/MCP", "/", "/healthz/", "/healthz/../mcp",
          "/healthz%2f..%2fmcp", "/metrics", "/mcp;/healthz",
          "/.well-known/oauth-protected-resource/x"]  # fmt: skip


async def test_nothing_else_is_open_without_a_token(mcp: Door) -> None:
    codes = {path: (await mcp.get(path)).status_code for path in CLOSED}

    assert codes == dict.fromkeys(CLOSED, 401)


async def test_a_new_key_of_the_provider_is_taken_and_the_old_one_no_more(
    provider: Issuer, mcp: Door
) -> None:
    old = provider.token(ADA)
    before = await mcp.bring(old)
    provider.rotate()
    mcp.clock.now += DISTANCE

    new = await mcp.bring(provider.token(ADA))
    after = await mcp.bring(old)

    assert [answer.status_code for answer in (before, new, after)] == [200, 200, 401]


async def test_without_the_provider_callers_are_told_to_come_back(
    provider: Issuer, mcp: Door
) -> None:
    provider.is_down = True

    refused = await mcp.bring(provider.token(ADA))

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "5"
    assert refused.json()["error"]["message"].startswith("The keys of the")


async def test_random_keys_do_not_flood_the_provider(provider: Issuer, mcp: Door) -> None:
    codes = [
        (await mcp.bring(provider.token(ADA, headers={"kid": str(number)}))).status_code
        for number in range(10)
    ]

    assert codes == [401] * 10
    assert provider.asked == ["/jwks"]


async def test_a_scope_that_is_missing_is_named(people: Database, provider: Issuer) -> None:
    wanted = replace(expected(provider), scopes=("confluence:read", "wiki"))
    async with door(people, wanted) as mcp:
        refused = await mcp.bring(provider.token(ADA, scope="wiki other"))
        taken = await mcp.bring(provider.token(ADA, scope="wiki", scp=["confluence:read"]))
        asked = await mcp.post()

    assert (refused.status_code, taken.status_code) == (403, 200)
    assert refused.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", error_description="The token lacks a scope.", '
        f'resource_metadata="{METADATA}", scope="confluence:read wiki"'
    )
    assert 'scope="confluence:read wiki"' in asked.headers["www-authenticate"]


async def test_a_key_is_the_person_it_was_made_for(people: Database, mcp: Door) -> None:
    keys = ApiKeys(people)
    by_id = await mcp.who(await keys.create("by-id", "712020:ada"))
    by_email = await mcp.who(await keys.create("by-email", "ada@example.com"))
    by_name = await mcp.who(await keys.create("by-name", "ada"))
    unknown = await mcp.who(await keys.create("unknown", "nobody@example.com"))

    assert (by_id.name, by_id.accounts) == ("key:by-id", await numbers(people, "712020:ada"))
    assert by_email.accounts == await numbers(people, "712020:ada", "ff80")
    assert by_name.accounts == await numbers(people, "ff80")
    assert unknown.accounts == []


async def test_a_key_of_a_service_reads_what_is_indexed(people: Database, mcp: Door) -> None:
    told = await mcp.who(await ApiKeys(people).create("bot", None))

    assert (told.name, told.accounts) == ("key:bot", None)


async def test_a_revoked_key_is_refused_at_the_next_call(people: Database, mcp: Door) -> None:
    keys = ApiKeys(people)
    key = await keys.create("bot", None)
    before = await mcp.bring(key)
    await keys.revoke("bot")
    after = await mcp.bring(key)

    assert (before.status_code, after.status_code) == (200, 401)


async def test_keys_are_refused_where_they_are_not_wanted(
    people: Database, provider: Issuer
) -> None:
    key = await ApiKeys(people).create("bot", None)

    async with door(people, expected(provider), takes_keys=False) as mcp:
        refused, taken = await mcp.bring(key), await mcp.bring(provider.token(ADA))

    assert (refused.status_code, taken.status_code) == (401, 200)


async def test_tokens_are_refused_where_only_keys_are_wanted(
    people: Database, provider: Issuer
) -> None:
    key = await ApiKeys(people).create("bot", None)

    async with door(people, None) as mcp:
        refused, taken = await mcp.bring(provider.token(ADA)), await mcp.bring(key)

    assert (refused.status_code, taken.status_code) == (401, 200)
    assert provider.asked == []


async def test_keys_cannot_be_checked_without_the_database(
    people: Database, mcp: Door, caplog: pytest.LogCaptureFixture
) -> None:
    key = await ApiKeys(people).create("bot", None)
    async with people.pool.connection() as connection:
        await connection.execute("ALTER TABLE api_key RENAME TO elsewhere")

    refused = await mcp.bring(key)

    assert refused.status_code == 503
    assert refused.json()["error"]["message"].startswith("The index cannot be reached right now")
    assert key not in caplog.text


async def test_the_resource_describes_itself(people: Database, provider: Issuer) -> None:
    root = "/.well-known/oauth-protected-resource"
    async with door(people, replace(expected(provider), scopes=("confluence:read",))) as mcp:
        answers = [await mcp.get(path) for path in (root, f"{root}/mcp")]

    told = {
        "resource": "https://wiki-search.example.com/mcp",
        "resource_name": "Confluence",
        "bearer_methods_supported": ["header"],
        "authorization_servers": [provider.url],
        "scopes_supported": ["confluence:read"],
    }
    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, told)] * 2


async def test_with_keys_alone_no_provider_is_named(people: Database) -> None:
    async with door(people, None) as mcp:
        answer = await mcp.get("/.well-known/oauth-protected-resource/mcp")

    assert "authorization_servers" not in answer.json()


async def test_the_log_says_why_but_not_what(
    provider: Issuer, mcp: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    good, wrong = provider.token(ADA), provider.token(ADA, aud="https://other.example.com")

    await mcp.who(good)
    await mcp.bring(wrong)

    said = "\n".join(
        record.getMessage() for record in caplog.records if record.name[:6] == "server"
    )
    assert "token refused reason=InvalidAudienceError" in said
    assert "ada" not in said.lower()
    for token in (good, wrong):
        assert not any(part in caplog.text for part in token.split("."))


async def test_the_log_says_why_a_caller_has_no_account(
    provider: Issuer, mcp: Door, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    for claims in (ADA, {"email": "ada@example.com"}, ADA | {"email": "nobody@example.com"}):
        await mcp.who(provider.token(claims))

    said = [record.getMessage() for record in caplog.records if record.name == "server.auth"]
    assert [text.partition("reason=")[2] for text in said] == [
        "the token has no claim email, or email_verified is not true",
        "the index knows no active account by that name, or several on one site",
    ]
    assert "example.com" not in "".join(said)
