"""Comments as threads: who answers whom, and how many fit."""

from collections.abc import Sequence
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from index.records import Comment
from server.comments import THREAD, Talk, fitting, threads
from server.texts import estimated_tokens


def comment(comment_id: str, parent_id: str | None = None, markdown: str = "Yes.") -> Comment:
    """A comment that answers another."""
    return Comment(
        comment_id=comment_id,
        parent_id=parent_id,
        selection=None,
        resolution=None,
        author="Ada",
        created_at=datetime(2026, 3, 1, tzinfo=UTC),
        version=1,
        url=f"https://wiki.example.com/{comment_id}",
        markdown=markdown,
    )


def ids(found: Sequence[Sequence[Comment]]) -> list[list[str]]:
    """The threads by the ids of their comments."""
    return [[one.comment_id for one in thread] for thread in found]


def test_answers_stand_below_the_comment_that_began_it() -> None:
    found = threads([comment("1"), comment("2"), comment("3", "1"), comment("4", "3")])

    assert ids(found) == [["1", "3", "4"], ["2"]]


def test_an_answer_that_comes_before_its_comment_stands_below_it() -> None:
    assert ids(threads([comment("2", "1"), comment("1")])) == [["1", "2"]]


def test_an_answer_to_a_comment_that_is_gone_begins_a_thread() -> None:
    assert ids(threads([comment("2", "1"), comment("3", "2")])) == [["2", "3"]]


@given(st.lists(st.sampled_from([None, "0", "1", "2", "3", "4"]), max_size=5))
def test_every_comment_is_in_one_thread_whatever_it_claims_to_answer(
    parents: list[str | None],
) -> None:
    comments = [comment(str(number), parent) for number, parent in enumerate(parents)]

    found = [one for thread in ids(threads(comments)) for one in thread]

    assert sorted(found) == [one.comment_id for one in comments]


def test_what_does_not_fit_is_named_by_its_number() -> None:
    found = [[comment(str(number), markdown="word " * 100)] for number in range(9)]

    first = fitting(found, 0, 500, at_least=1)
    rest = fitting(found, first.following or 0, 100_000, at_least=1)

    assert first.following is not None
    assert 0 < len(first.threads) == first.following < 9
    assert len(first.threads) + len(rest.threads) == 9
    assert rest.following is None
    assert not first.is_cut


def test_one_thread_at_least_is_given_where_asked_for() -> None:
    found = [[comment("1")], [comment("2")]]

    assert fitting(found, 0, 0, at_least=0) == Talk((), 0)
    assert len(fitting(found, 0, 0, at_least=1).threads) == 1
    assert fitting(found, 2, 0, at_least=1) == Talk()


def test_a_very_long_comment_is_cut_and_said_to_be() -> None:
    talk = fitting([[comment("1", markdown="word " * 10_000)]], 0, 100_000, at_least=1)

    assert talk.is_cut
    assert talk.threads[0].markdown.endswith(" …")
    assert estimated_tokens(talk.threads[0].markdown) <= 1_010


def test_a_thread_of_very_many_answers_is_bounded_and_said_to_be_cut() -> None:
    answers = [comment(str(number), "0", "言葉 " * 50) for number in range(1, 500)]

    talk = fitting([[comment("0"), *answers]], 0, 100_000, at_least=1)

    assert talk.is_cut
    assert 5 < len(talk.threads[0].replies) < 499
    assert estimated_tokens(talk.threads[0].model_dump_json()) < THREAD + 100
