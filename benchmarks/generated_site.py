"""A Confluence Cloud site of any size that is made up as it is asked, to be served to an ingest.

Pages of about 3,500 characters in storage format in a tree, with labels; each tenth has a comment
and a reply. Everybody is in one group, which may read every space, and each hundredth page is
restricted to another one. Only what an ingest asks for is answered.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate
from multiprocessing.sharedctypes import Synchronized
from urllib.parse import urlencode

from benchmarks.loopback import Answer, Asked

SECONDS_PER_LISTED = 0.001
PAGES_OF_SPACE = 2_500
CHILDREN, COMMENTED, EDITED, RESTRICTED = 10, 10, 100, 100
STAFF, FEW = "8f2c-staff", "8f2c-few"  # ids of groups
FIRST_PAGE, FIRST_COMMENT = 1_000_000, 5_000_000
ACCOUNTS = 40
LONG_AGO = datetime(2024, 3, 1, tzinfo=UTC)

_COMMON = re.findall(
    r"\w+",
    "the of and to in is that for it as with was on be by at this from are or an which when will "
    "has can not all their more if no they so up out about who get them make time then some now "
    "only its our work first new because any these give most us system server customer team "
    "service request error release check start before after every change",
)
_SYLLABLES = [f"{consonant}{vowel}" for consonant in "bdfghklmnprstvwz" for vowel in "aeiou"]
_RARE = [f"{one}{two}{one[0]}" for one in _SYLLABLES for two in _SYLLABLES]
_WORDS = _COMMON + _RARE
_WEIGHTS = list(accumulate(rank**-1.3 for rank in range(1, len(_WORDS) + 1)))  # as in prose
_PAGE = re.compile(r"/api/v2/pages/(\d+)(?:/(footer-comments|inline-comments))?")
_REPLIES = re.compile(r"/api/v2/footer-comments/(\d+)/children")
_SPACE = re.compile(r"/api/v2/spaces/(\d+)/(pages|blogposts|permissions)")

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class GeneratedSite:
    """Answers as the site does, each time after `seconds` and a little for each line of a listing.

    `edited_at` is when each hundredth page was edited, 0 for never.
    """

    pages: int
    seconds: float
    edited_at: "Synchronized[float]"

    def __call__(self, asked: Asked) -> Answer:
        """What the site answers."""
        path = asked.path.removeprefix("/wiki")
        if match := _PAGE.fullmatch(path):
            number = int(match[1]) - FIRST_PAGE
            if match[2] is None:
                return Answer(self._page(number, has_body=True), self.seconds)
            roots = [self._comment(number, 0)] if self._has_thread(number, match[2]) else []
            return self._listing(asked, roots.__getitem__, len(roots))
        if match := _REPLIES.fullmatch(path):
            number, place = divmod(int(match[1]) - FIRST_COMMENT, 2)
            replies = [] if place else [self._comment(number, 1)]
            return self._listing(asked, replies.__getitem__, len(replies))
        if match := _SPACE.fullmatch(path):
            return self._of_space(asked, int(match[1]), match[2])
        return self._of_site(asked, path)

    def _of_site(self, asked: Asked, path: str) -> Answer:
        if path == "/rest/api/user/current":
            return Answer({"type": "known", "accountId": "account-0"}, self.seconds)
        if path == "/api/v2/users-bulk":
            return Answer(
                {"results": [_person(number) for number in range(ACCOUNTS)]}, self.seconds
            )
        if path == "/api/v2/spaces":
            return self._listing(asked, _space, -(-self.pages // PAGES_OF_SPACE))
        if path == "/api/v2/pages":
            return self._listing(asked, self._newest, self.pages)
        if path == "/api/v2/footer-comments":
            return self._listing(asked, self._any_comment, 2 * -(-self.pages // COMMENTED))
        if path == "/rest/api/content/search":
            return self._search(asked)
        if path.startswith("/rest/api/group"):
            return self._groups(asked, path)
        if path == "/api/v2/space-role-mode":
            return Answer({"mode": "PRE_ROLES"}, self.seconds)
        if path in ("/api/v2/blogposts", "/api/v2/inline-comments", "/api/v2/attachments"):
            return self._listing(asked, _nothing, 0)
        return Answer({"message": f"{path} is not simulated"}, 0, 404)

    def _listing(self, asked: Asked, line: Callable[[int], object], size: int) -> Answer:
        start, limit = int(asked.parameters.get("cursor", 0)), int(asked.parameters["limit"])
        results = [line(number) for number in range(start, min(start + limit, size))]
        answer: Json = {"results": results, "_links": {}}
        if start + limit < size:
            query = urlencode({**asked.parameters, "cursor": start + limit})
            answer["_links"] = {"next": f"{asked.path}?{query}"}
        return Answer(answer, self.seconds + SECONDS_PER_LISTED * len(results))

    def _groups(self, asked: Asked, path: str) -> Answer:
        """The group of all, or the members of a group."""
        if path == "/rest/api/group":
            return Answer(_at_once([{"type": "group", "name": STAFF, "id": STAFF}]), self.seconds)
        return Answer(_at_once([_person(number) for number in range(ACCOUNTS)]), self.seconds)

    def _of_space(self, asked: Asked, space_id: int, kind: str) -> Answer:
        if kind == "permissions":
            reads = {"key": "read", "targetType": "space"}
            staff = {"id": "1", "principal": {"type": "group", "id": STAFF}, "operation": reads}
            return self._listing(asked, [staff].__getitem__, 1)
        first = space_id * PAGES_OF_SPACE
        size = min(PAGES_OF_SPACE, self.pages - first) if kind == "pages" else 0
        return self._listing(asked, lambda place: self._page(first + place), size)

    def _search(self, asked: Asked) -> Answer:
        """Labels or restrictions of the pages of a space; there are no folders."""
        key = re.search(r'space = "S(\d+)"', asked.parameters["cql"])
        if key is None or "blogpost" not in asked.parameters["cql"]:
            return self._listing(asked, _nothing, 0)
        first = int(key[1]) * PAGES_OF_SPACE
        size = min(PAGES_OF_SPACE, self.pages - first)
        line = _restricted if "restrictions" in asked.parameters["expand"] else _found
        return self._listing(asked, lambda place: line(first + place), size)

    def _newest(self, place: int) -> Json:
        """Edited pages come first."""
        edited = -(-self.pages // EDITED)
        if place < edited:
            return self._page(place * EDITED)
        others = place - edited
        return self._page(others // (EDITED - 1) * EDITED + others % (EDITED - 1) + 1)

    def _page(self, number: int, *, has_body: bool = False) -> Json:
        is_edited = self.edited_at.value > 0 and number % EDITED == 0
        changed = datetime.fromtimestamp(self.edited_at.value, UTC) if is_edited else LONG_AGO
        space, place = divmod(number, PAGES_OF_SPACE)
        parent = space * PAGES_OF_SPACE + (place - 1) // CHILDREN
        page: Json = {
            "id": str(FIRST_PAGE + number),
            "status": "current",
            "title": _title(number),
            "spaceId": str(space),
            "parentId": str(FIRST_PAGE + parent) if place else None,
            "parentType": "page" if place else None,
            "position": place,
            "authorId": f"account-{number % ACCOUNTS}",
            "ownerId": f"account-{number % ACCOUNTS}",
            "createdAt": LONG_AGO.isoformat(),
            "version": {
                "number": 2 if is_edited else 1,
                "createdAt": changed.isoformat(),
                "authorId": f"account-{number % ACCOUNTS}",
            },
            "body": {},
            "_links": {"webui": f"/spaces/S{space}/pages/{FIRST_PAGE + number}"},
        }
        if has_body:
            value = body_of(number, is_edited=is_edited)
            page["body"] = {"storage": {"representation": "storage", "value": value}}
            page["labels"] = {"results": _labels(number), "meta": {"hasMore": False}}
        return page

    def _has_thread(self, number: int, kind: str) -> bool:
        return number % COMMENTED == 0 and kind == "footer-comments"

    def _any_comment(self, place: int) -> Json:
        return self._comment(place // 2 * COMMENTED, place % 2)

    def _comment(self, number: int, place: int) -> Json:
        root = FIRST_COMMENT + 2 * number
        return {
            "id": str(root + place),
            "status": "current",
            "pageId": str(FIRST_PAGE + number),
            "parentCommentId": str(root) if place else None,
            "version": {
                "number": 1,
                "createdAt": LONG_AGO.isoformat(),
                "authorId": f"account-{number % ACCOUNTS}",
            },
            "body": {"storage": {"value": f"<p>{_sentence(random.Random(root + place))}</p>"}},
            "_links": {"webui": f"/pages/{FIRST_PAGE + number}?focusedCommentId={root + place}"},
        }


def body_of(number: int, *, is_edited: bool = False) -> str:
    """The body of a page in storage format; an edit changes one of its paragraphs."""
    return "".join(_parts(random.Random(number), number, is_edited))


def _parts(dice: random.Random, number: int, is_edited: bool) -> Iterator[str]:
    text = partial(_sentence, dice)
    link = f'<ac:link><ri:page ri:content-title="{_title(dice.randrange(number + 1))}"/></ac:link>'
    yield f"<p>{text()} {text()}</p><h1>{_name(dice)}</h1><p>{text()} {text()} {link} {text()}</p>"
    if is_edited:
        yield "<p>This was corrected after the last rehearsal, and holds from now on.</p>"
    yield f"<ul>{''.join(f'<li><p>{text()}</p></li>' for _ in range(4))}</ul>"
    yield f"<h2>{_name(dice)}</h2><p>{text()} {text()} {text()}</p>"
    rows = "".join(f"<tr><td>{_name(dice)}</td><td>{text()}</td></tr>" for _ in range(5))
    yield f"<table><tbody><tr><th>Name</th><th>Meaning</th></tr>{rows}</tbody></table>"
    lines = "\n".join(f"run --{_name(dice)} {number} && echo {_name(dice)}" for _ in range(4))
    yield (
        '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">bash</ac:parameter>'
        f"<ac:plain-text-body><![CDATA[{lines}]]></ac:plain-text-body></ac:structured-macro>"
    )
    yield (
        f'<h2>{_name(dice)}</h2><ac:structured-macro ac:name="info"><ac:rich-text-body>'
        f"<p>{text()}</p></ac:rich-text-body></ac:structured-macro>"
    )
    yield "".join(f"<p>{text()} {text()} {text()}</p>" for _ in range(3))


def _sentence(dice: random.Random) -> str:
    words = dice.choices(_WORDS, cum_weights=_WEIGHTS, k=dice.randrange(10, 24))
    return " ".join(words).capitalize() + "."


def _name(dice: random.Random) -> str:
    return dice.choice(_RARE)


def _title(number: int) -> str:
    dice = random.Random(-number - 1)
    return f"{_name(dice).capitalize()} {_name(dice)} {number}"


def _labels(number: int) -> list[Json]:
    return [{"id": "1", "name": f"label-{number % 20}", "prefix": "global"}]


def _found(number: int) -> Json:
    return {
        "id": str(FIRST_PAGE + number),
        "type": "page",
        "status": "current",
        "title": _title(number),
        "space": {"key": f"S{number // PAGES_OF_SPACE}"},
        "metadata": {"labels": {"results": _labels(number), "size": 1, "limit": 200}},
    }


def _restricted(number: int) -> Json:
    """A page that is found with its own restriction."""
    groups = [] if number % RESTRICTED else [{"type": "group", "name": FEW, "id": FEW}]
    subjects = {"user": _at_once([]), "group": _at_once(groups)}
    read = {"operation": "read", "restrictions": subjects}
    return {**_found(number), "restrictions": {"read": read}}


def _at_once(results: list[Json]) -> Json:
    """A list of REST v1 that has all in one part."""
    return {
        "results": results,
        "start": 0,
        "limit": 200,
        "size": len(results),
        "totalSize": len(results),
        "_links": {},
    }


def _space(number: int) -> Json:
    key = f"S{number}"
    links = {"webui": f"/spaces/{key}"}
    return {"id": str(number), "key": key, "name": f"Space {number}", "_links": links}


def _person(number: int) -> Json:
    return {
        "accountId": f"account-{number}",
        "displayName": f"Person {number}",
        "accountType": "atlassian",
        "accountStatus": "active",
        "isGuest": False,
        "isExternalCollaborator": False,
    }


def _nothing(number: int) -> Json:
    raise IndexError(number)
