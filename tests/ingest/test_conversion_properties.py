"""Whatever a body holds, its words come out once, in order and apart, and nothing raises."""

import os
import re
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.storage_format import Conversion, convert, user_ids
from tests.ingest.bodies import HIDDEN, WORD, bodies
from tests.ingest.linked_site import CONTEXT

_IS_LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
_thorough = settings(
    max_examples=2_000 if _IS_LONG else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
_TAG = re.compile(r"</?[a-z:0-9-]+(?:\s[^<>]*)?>")
_SAMPLES = [
    path.read_text() for path in sorted((Path(__file__).parent / "constructs").glob("*.xml"))
]
_SCRAPS = ("<", ">", "&", "</p>", "<td>", "<p", "]]>", "<![CDATA[", "<!--", '"', "\x00", "<a:b>")


def _check(conversion: Conversion) -> None:
    """What holds for every conversion."""
    markdown = conversion.markdown
    assert all(block.markdown.strip() for block in conversion.blocks)
    for heading in conversion.outline:
        assert markdown[heading.offset :].startswith("#" * heading.level + " ")
        assert heading.title
    for block in conversion.blocks:
        if block.kind == "table" and "| --- |" in block.markdown:
            columns = {len(re.findall(r"(?<!\\)\|", row)) for row in block.markdown.split("\n")}
            assert len(columns) == 1
        if block.kind == "code":
            opening, *_, closing = block.markdown.split("\n")
            assert opening.startswith(closing)


@_thorough
@given(bodies)
def test_every_word_comes_out_once_and_in_order(body: str) -> None:
    conversion = convert(body, CONTEXT)

    assert WORD.findall(conversion.markdown) == WORD.findall(body)
    assert "xw" not in conversion.markdown
    assert "secret" not in conversion.markdown
    _check(conversion)


@_thorough
@given(bodies, st.data())
def test_a_missing_tag_costs_no_word(body: str, data: st.DataObject) -> None:
    body = body.replace(HIDDEN, "")  # without its end, it would hide what follows
    tags = list(_TAG.finditer(body))
    if not tags:
        return
    tag = data.draw(st.sampled_from(tags))
    broken = body[: tag.start()] + body[tag.end() :]

    conversion = convert(broken, CONTEXT)

    settings_of_macros = set(WORD.findall("".join(re.findall(r"<ac:parameter.*?</", body))))
    lost = set(WORD.findall(broken)) - set(WORD.findall(conversion.markdown))
    assert lost <= settings_of_macros
    _check(conversion)


@_thorough
@given(st.sampled_from(_SAMPLES), st.data())
def test_no_mutation_of_a_body_raises(body: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 6))):
        start = data.draw(st.integers(0, len(body)))
        end = min(len(body), start + data.draw(st.integers(0, 12)))
        scrap = data.draw(st.one_of(st.sampled_from(_SCRAPS), st.text(max_size=3)))
        body = body[:start] + scrap + body[end:]

    conversion = convert(body, CONTEXT)

    _check(conversion)
    assert "" not in user_ids(body)


@_thorough
@given(st.text())
def test_any_text_converts(body: str) -> None:
    _check(convert(body, CONTEXT))
