"""Cursors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.access import CRAWLER, Asker
from index.errors import BadRequest
from index.results import Filters
from server.paging import cursor_at, fingerprint, offset_of


@given(st.integers(1, 10_000), st.text())
def test_a_cursor_points_to_where_it_was_made(offset: int, query: str) -> None:
    search = fingerprint(CRAWLER, query, Filters())

    assert offset_of(cursor_at(offset, search), search) == offset


@given(st.text(), st.text())
def test_any_other_text_is_refused(cursor: str, query: str) -> None:
    with pytest.raises(BadRequest, match="without a cursor"):
        offset_of(cursor, fingerprint(CRAWLER, query, Filters()))


@pytest.mark.parametrize("offset", [0, -1, 10_001])
def test_a_cursor_leads_only_to_what_can_follow(offset: int) -> None:
    with pytest.raises(BadRequest):
        offset_of(cursor_at(offset, "search"), "search")


def test_no_cursor_is_the_beginning() -> None:
    assert offset_of(None, "search") == 0


def test_searches_differ_by_asker_query_and_filters() -> None:
    searches = {
        fingerprint(CRAWLER, "vpn", Filters()),
        fingerprint(CRAWLER, "VPN", Filters()),
        fingerprint(CRAWLER, "vpn", Filters(spaces=("ENG",))),
        fingerprint(CRAWLER, "vpn", Filters(labels=("ENG",))),
        fingerprint(Asker("ada", (1,)), "vpn", Filters()),
        fingerprint(Asker("bob", (1,)), "vpn", Filters()),
        fingerprint(Asker("ada", (2,)), "vpn", Filters()),
        fingerprint(Asker("ada", ()), "vpn", Filters()),
    }

    assert len(searches) == 8
