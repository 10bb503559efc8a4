"""Comments of a page as threads, and as many of them as fit. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from index.records import Comment
from server.results import CommentReply, CommentThread
from server.texts import estimated_tokens, slice_markdown

COMMENT, THREAD, SELECTION = 1_000, 4_000, 100  # tokens


@dataclass(frozen=True, slots=True)
class Talk:
    """Threads of one part of a page. `following` is the number of the next one, None at the end.

    `is_cut` tells that some are shown without all of their words or replies.
    """

    threads: tuple[CommentThread, ...] = ()
    following: int | None = None
    is_cut: bool = False


def threads(comments: Sequence[Comment]) -> list[list[Comment]]:
    """Each first comment with all that answer it, in the order given."""
    known = {comment.comment_id: comment for comment in comments}
    found: dict[str, list[Comment]] = {}
    for comment in comments:
        found.setdefault(_first(comment, known).comment_id, []).append(comment)
    return [_first_comes_first(key, thread) for key, thread in found.items()]


def _first(comment: Comment, known: dict[str, Comment]) -> Comment:
    """The comment that began a thread, as far as it is known."""
    passed = {comment.comment_id}
    while (above := known.get(comment.parent_id or "")) and above.comment_id not in passed:
        comment = above
        passed.add(comment.comment_id)
    return comment


def _first_comes_first(key: str, thread: list[Comment]) -> list[Comment]:
    return sorted(thread, key=lambda comment: comment.comment_id != key)


def fitting(found: Sequence[Sequence[Comment]], first: int, budget: int, *, at_least: int) -> Talk:
    """The threads from number `first` on that fit into a budget of tokens, and no fewer."""
    shown: list[CommentThread] = []
    is_cut = False
    for number, comments in enumerate(found[first:], start=first):
        thread, is_thread_cut = _thread(comments)
        budget -= _size(thread)
        if budget < 0 and len(shown) >= at_least:
            return Talk(tuple(shown), number, is_cut)
        shown.append(thread)
        is_cut = is_cut or is_thread_cut
    return Talk(tuple(shown), None, is_cut)


def _thread(comments: Sequence[Comment]) -> tuple[CommentThread, bool]:
    """A thread, and whether words or replies were left out of it."""
    first = comments[0]
    thread = CommentThread(
        author=first.author,
        created_at=first.created_at,
        url=first.url,
        markdown=_cut(first.markdown, COMMENT),
        selection=None if first.selection is None else _cut(first.selection, SELECTION),
        resolution=first.resolution,
        replies=[],
    )
    room = THREAD - _size(thread)
    for comment in comments[1:]:
        reply = CommentReply(
            author=comment.author,
            created_at=comment.created_at,
            url=comment.url,
            markdown=_cut(comment.markdown, COMMENT),
        )
        room -= _size(reply)
        if room < 0:
            break
        thread.replies.append(reply)
    written = [thread, *thread.replies]
    is_whole = [one.markdown for one in written] == [one.markdown for one in comments]
    return thread, not is_whole


def _cut(text: str, tokens: int) -> str:
    part, following = slice_markdown(text, 0, tokens)
    return part if following is None else f"{part} …"


def _size(item: CommentThread | CommentReply) -> int:
    return estimated_tokens(item.model_dump_json())
