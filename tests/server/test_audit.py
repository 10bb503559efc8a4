"""The audit trail: what its lines say, where they go, and that no call fails for them."""

import asyncio
import json
import logging
import os
import stat
from collections.abc import Generator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from index.errors import ConfigurationError
from server.audit import Audit, Entry, Outcome

ENTRY = Entry(
    time=datetime(2026, 11, 22, 16, 14, 3, 120_000, timezone(timedelta(hours=1))),
    asker="sub:ada",
    call="search_confluence",
    page_ids=("100", "200"),
    outcome=Outcome.OK,
    duration_ms=42,
    question="Who earns what?",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the trail goes."""
    return tmp_path / "audit.jsonl"


@pytest.fixture
def open_mask() -> Generator[None]:
    """New files are open to everybody, unless they are made otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_line_has_the_facts_and_no_question(path: Path) -> None:
    Audit.at(str(path), has_questions=False).note(ENTRY)

    assert path.read_text() == (
        '{"time": "2026-11-22T15:14:03.120Z", "asker": "sub:ada", "call": "search_confluence", '
        '"page_ids": ["100", "200"], "outcome": "ok", "duration_ms": 42}\n'
    )


def test_questions_are_written_where_that_is_set(path: Path) -> None:
    Audit.at(str(path), has_questions=True).note(ENTRY)

    assert json.loads(path.read_text())["question"] == "Who earns what?"


@pytest.mark.parametrize(
    "text", ["a\nb\r\n{}", "\x00\x1b[31m", "\ud83d half", "日本", "x" * 100_000]
)
def test_whatever_is_asked_makes_one_line(path: Path, text: str) -> None:
    audit = Audit.at(str(path), has_questions=True)

    audit.note(Entry(datetime.now(UTC), text, text, (text,), Outcome.OK, 1, text))
    audit.note(ENTRY)

    first, second = map(json.loads, path.read_text().splitlines())
    assert first["asker"] == text
    assert first["question"] == text[:2_000]
    assert second["asker"] == "sub:ada"


def test_the_file_is_its_owners_alone(path: Path, open_mask: None) -> None:
    Audit.at(str(path), has_questions=False)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_there_is_kept(path: Path) -> None:
    path.write_text("earlier\n")

    Audit.at(str(path), has_questions=False).note(ENTRY)

    assert path.read_text().startswith('earlier\n{"time"')


def test_a_file_that_was_moved_away_is_begun_anew(path: Path) -> None:
    audit = Audit.at(str(path), has_questions=False)
    audit.note(ENTRY)

    path.rename(path.with_suffix(".1"))
    audit.note(ENTRY)

    assert len(path.read_text().splitlines()) == 1


def test_many_at_once_leave_whole_lines(path: Path) -> None:
    audits = [Audit.at(str(path), has_questions=True) for _ in range(3)]

    async def note(number: int) -> None:
        await asyncio.sleep(0)
        audits[number % 3].note(ENTRY)

    async def all_of_them() -> None:
        await asyncio.gather(*map(note, range(300)))

    asyncio.run(all_of_them())

    lines = path.read_text().splitlines()
    assert len(lines) == 300
    assert {json.loads(line)["asker"] for line in lines} == {"sub:ada"}


def test_a_full_disk_is_logged_once_and_fails_no_call(caplog: pytest.LogCaptureFixture) -> None:
    with open("/dev/full", "wb", buffering=0) as full:

        def append(line: bytes) -> None:
            full.write(line)

        audit = Audit(append)
        with caplog.at_level(logging.WARNING):
            for _ in range(5):
                audit.note(ENTRY)

    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "the audit trail cannot be written" in record.message
    assert "ada" not in record.message


def test_a_trail_that_is_written_again_tells_how_much_is_lost(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.joinpath("logs").mkdir()
    audit = Audit.at(str(path.parent / "logs" / "audit"), has_questions=False)
    (path.parent / "logs" / "audit").unlink()
    (path.parent / "logs").rmdir()

    with caplog.at_level(logging.WARNING):
        audit.note(ENTRY)
        audit.note(ENTRY)
        (path.parent / "logs").mkdir()
        audit.note(ENTRY)
        audit.note(ENTRY)

    assert len((path.parent / "logs" / "audit").read_text().splitlines()) == 2
    assert "lost lines=2" in caplog.records[-1].message
    assert len(caplog.records) == 2


def test_a_line_that_was_torn_does_not_spoil_the_next_one(path: Path) -> None:
    resource = pytest.importorskip("resource")
    audit = Audit.at(str(path), has_questions=False)
    audit.note(ENTRY)
    size = path.stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    # The kernel writes as much of a line as there is room for, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, before[1]))
    try:
        audit.note(ENTRY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    audit.note(ENTRY)

    first, torn, last = path.read_text().splitlines()
    assert first == last
    assert first.startswith(torn)
    assert len(torn) == 20


def test_standard_error_takes_it(capfd: pytest.CaptureFixture[str]) -> None:
    Audit.at("stderr", has_questions=False).note(ENTRY)

    output, errors = capfd.readouterr()
    assert output == ""
    assert json.loads(errors)["call"] == "search_confluence"


def test_off_is_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    Audit.at("off", has_questions=True).note(ENTRY)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["", "missing/audit.jsonl", "pipe", "/dev/null", "x\0y"])
def test_what_cannot_be_a_trail_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")

    with pytest.raises(ConfigurationError) as caught:
        Audit.at(target, has_questions=False)

    first, second = str(caught.value).splitlines()
    assert first.startswith("The audit trail cannot be written: ")
    assert "AUDIT_LOG" in second
