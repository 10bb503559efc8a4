"""Puts one server into a JSON file of a client; its comments and all else stay as they are."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

_TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<comment>//[^\n]*|/\*.*?\*/)"
    r"|(?P<mark>[{}\[\],:])"
    r'|(?P<word>[^\s"{}\[\],:/]+)',
    re.DOTALL,
)
_INDENT = "  "
# What an entry says of where its server is; all else in it is the person's own.
_OURS = frozenset({"type", "command", "args", "env", "url", "headers"})
_OUR_ENVIRONMENT = frozenset({"CONFLUENCE_MCP_HOME", "AUTHORIZATION"})


class UnsafeEdit(Exception):
    """The file cannot be changed without losing something of it; the text says why."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Node:
    """A value and where it stands; `members` are those of an object, None for other values."""

    start: int
    end: int
    members: "tuple[_Member, ...] | None" = None
    has_last_comma: bool = False


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    start: int
    value: _Node


def with_server(text: str, section: str, name: str, entry: Mapping[str, object]) -> str:
    """The text with `entry` under `section`, `name`; what else such an entry had is kept.

    Raises UnsafeEdit.
    """
    if not text.strip():
        return json.dumps({section: {name: entry}}, indent=2, ensure_ascii=False) + "\n"
    old = _value(text)
    if not _is_object(old) or not _is_object(servers := old.get(section, {})):
        raise UnsafeEdit(f"it has something else where the object {section} should be")
    merged = _merged(servers.get(name), entry)
    changed = _changed(text, section, name, merged)
    wanted = {**old, section: {**servers, name: merged}}
    if _value(changed) != wanted or not _keeps_comments(text, changed, section, name):
        raise UnsafeEdit("something else in it would be changed as well")
    return changed


def _merged(old: object, entry: Mapping[str, object]) -> dict[str, object]:
    if not _is_object(old):
        return dict(entry)
    kept = {key: value for key, value in old.items() if key not in _OURS}
    own = old.get("env")
    env = (
        {key: value for key, value in own.items() if key not in _OUR_ENVIRONMENT}
        if _is_object(own) and "command" in entry
        else {}
    )
    new = entry.get("env")
    env |= new if _is_object(new) else {}
    return {**entry, **({"env": env} if env else {}), **kept}


def _is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _changed(text: str, section: str, name: str, entry: Mapping[str, object]) -> str:
    root = _parsed(text)
    found = _member(root, section)
    if found is None:
        return _with_member(text, root, section, {name: entry})
    inner = _member(found.value, name)
    if inner is None:
        return _with_member(text, found.value, name, entry)
    indent = _indent_at(text, inner.start)
    written = _dumped(text, entry, indent)
    return text[: inner.value.start] + written + text[inner.value.end :]


def _with_member(text: str, node: _Node, name: str, value: Mapping[str, object]) -> str:
    """The text with a new last member of an object."""
    members = node.members or ()
    outer = _indent_at(text, node.start)
    indent = outer + _unit(text)
    if members and _begins_line(text, members[-1].start):
        indent = _indent_at(text, members[-1].start)
    end = _eol(text)
    close = node.end - 1
    at = len(text[:close].rstrip())
    written = f"{end}{indent}{json.dumps(name)}: {_dumped(text, value, indent)}"
    written += "," if node.has_last_comma else ""
    behind = text[at:close] if "\n" in text[at:close] else f"{end}{outer}"
    changed = text[:at] + written + behind + text[close:]
    if members and not node.has_last_comma:
        comma = members[-1].value.end
        changed = changed[:comma] + "," + changed[comma:]
    return changed


def _dumped(text: str, value: Mapping[str, object], indent: str) -> str:
    lines = json.dumps(value, indent=_unit(text), ensure_ascii=False).split("\n")
    return f"{_eol(text)}{indent}".join(lines)


def _eol(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _unit(text: str) -> str:
    """One step of indentation, as the first indented line has it."""
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return found[1] if found else _INDENT


def _indent_at(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip())]


def _begins_line(text: str, position: int) -> bool:
    return not text[text.rfind("\n", 0, position) + 1 : position].strip()


def _member(node: _Node, name: str) -> _Member | None:
    members = [member for member in node.members or () if member.name == name]
    return members[-1] if members else None  # the last one counts


def _keeps_comments(old: str, new: str, section: str, name: str) -> bool:
    """Whether every comment is still there, those within a replaced entry aside."""
    replaced = (found := _member(_parsed(old), section)) and _member(found.value, name)
    start, end = (replaced.value.start, replaced.value.end) if replaced else (0, 0)
    before = [
        token.text for token in _comments(old) if not (start <= token.start and token.end <= end)
    ]
    return before == [token.text for token in _comments(new)]


def _comments(text: str) -> Iterator[_Token]:
    return (token for token in _tokens(text) if token.kind == "comment")


def _value(text: str) -> object:
    """What the text says, without comments and last commas; raises UnsafeEdit."""
    tokens = [token for token in _tokens(text) if token.kind != "comment"]
    kept = [
        token.text
        for token, following in zip(tokens, [*tokens[1:], None], strict=True)
        if not (token.text == "," and following and following.text in "}]")
    ]
    try:
        return json.loads(" ".join(kept))
    except ValueError as error:
        raise UnsafeEdit("it is no JSON") from error


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        if text[at].isspace() or (at == 0 and text[at] == "\ufeff"):
            at += 1
            continue
        found = _TOKEN.match(text, at)
        if found is None:
            raise UnsafeEdit(f"it is no JSON (line {text.count(chr(10), 0, at) + 1})")
        yield _Token(found.lastgroup or "", found.group(), at, found.end())
        at = found.end()


def _parsed(text: str) -> _Node:
    """Where everything stands, in a text of which `_value` made sense."""
    return _node(iter(token for token in _tokens(text) if token.kind != "comment"))


def _node(tokens: Iterator[_Token]) -> _Node:
    return _node_from(next(tokens), tokens)


def _node_from(first: _Token, tokens: Iterator[_Token]) -> _Node:
    if first.text == "{":
        return _object(first.start, tokens)
    if first.text == "[":
        return _array(first.start, tokens)
    return _Node(first.start, first.end)


def _object(start: int, tokens: Iterator[_Token]) -> _Node:
    members: list[_Member] = []
    has_comma = False
    for token in tokens:
        if token.text == "}":
            return _Node(start, token.end, tuple(members), has_comma)
        has_comma = token.text == ","
        if token.kind == "string":
            next(tokens)  # the colon
            members.append(_Member(json.loads(token.text), token.start, _node(tokens)))
    raise UnsafeEdit("it ends too early")


def _array(start: int, tokens: Iterator[_Token]) -> _Node:
    for token in tokens:
        if token.text == "]":
            return _Node(start, token.end)
        if token.text != ",":
            _node_from(token, tokens)
    raise UnsafeEdit("it ends too early")
