import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from email.message import EmailMessage
from pathlib import Path

import docx
import pytest
from pptx import Presentation

from ingest.attachments.kinds import KINDS
from ingest.attachments.reading import AttachmentReader, Limits, ReadText
from tests.ingest.attachments.files import pdf, relations, saved, zipped

pytestmark = pytest.mark.anyio

_MIB = 1024 * 1024
_SHEET = "<worksheet><sheetData><row><c t='inlineStr'><is><t>words</t></is></c></row></sheetData>"


def _xlsx(strings: str) -> bytes:
    namespace = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    sheets = f'<workbook {namespace}><sheets><sheet name="S" r:id="r0"/></sheets></workbook>'
    return zipped(
        {
            "_rels/.rels": relations({"officeDocument": "xl/workbook.xml"}),
            "xl/workbook.xml": sheets,
            "xl/_rels/workbook.xml.rels": relations(
                {"worksheet": "sheet1.xml", "sharedStrings": "sharedStrings.xml"}
            ),
            "xl/sheet1.xml": f"{_SHEET}</worksheet>",
            "xl/sharedStrings.xml": f"<sst>{strings}</sst>",
        }
    )


def _samples() -> Mapping[str, bytes]:
    """A file of each kind that says `words`."""
    document = docx.Document()
    document.add_paragraph("words")
    deck = Presentation()
    title = deck.slides.add_slide(deck.slide_layouts[0]).shapes.title
    assert title is not None
    title.text_frame.text = "words"
    mail = EmailMessage()
    mail["Subject"] = "Größe"
    mail.set_content("wörds words", charset="iso-8859-15")
    return {
        "pdf": pdf([["words"]], [("words", 0)]),
        "docx": saved(document),
        "pptx": saved(deck),
        "xlsx": _xlsx(""),
        "csv": b"words,words\n1,2\n",
        "txt": "words, wörter".encode("utf-16"),
        "md": b"# words",
        "html": b"<meta charset=koi8-r><p>words",
        "eml": mail.as_bytes(),
    }


@pytest.fixture
async def reader() -> AsyncGenerator[AttachmentReader]:
    async with AttachmentReader() as reader:
        yield reader


def _file(folder: Path, data: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _text(read: ReadText) -> str:
    return "\n\n".join(block.markdown for block in read.blocks)


async def _killed_while_reading(reader: AttachmentReader, path: Path) -> ReadText:
    """What a read gives whose worker stops answering, and is then killed."""
    assert reader.process_id is not None
    os.kill(reader.process_id, signal.SIGSTOP)
    reading = asyncio.create_task(reader.read(path, "txt"))
    await asyncio.sleep(0)
    os.kill(reader.process_id, signal.SIGKILL)
    return await reading


async def test_every_kind_is_read_where_no_file_can_be_opened(
    reader: AttachmentReader, tmp_path: Path
) -> None:
    samples = _samples()

    read = {kind: await reader.read(_file(tmp_path, samples[kind]), kind) for kind in KINDS}

    assert {kind for kind in KINDS if "words" in _text(read[kind])} == set(KINDS)
    assert {kind: one.unreadable for kind, one in read.items() if one.unreadable} == {}


async def test_one_worker_reads_file_after_file(reader: AttachmentReader, tmp_path: Path) -> None:
    path = _file(tmp_path, b"words")

    await reader.read(path, "txt")
    first = reader.process_id
    await reader.read(path, "md")

    assert first is not None
    assert reader.process_id == first


async def test_a_worker_is_replaced_after_many_files(
    reader: AttachmentReader, tmp_path: Path
) -> None:
    path = _file(tmp_path, b"words")
    workers: set[int | None] = set()

    for _ in range(150):
        await reader.read(path, "txt")
        workers.add(reader.process_id)

    assert len(workers - {None}) == 2


async def test_files_asked_for_at_once_are_read_one_by_one(
    reader: AttachmentReader, tmp_path: Path
) -> None:
    paths = [_file(tmp_path, f"words {number}".encode(), str(number)) for number in range(5)]

    read = await asyncio.gather(*(reader.read(path, "txt") for path in paths))

    assert [_text(one) for one in read] == [f"words {number}" for number in range(5)]


async def test_a_killed_worker_costs_one_file(reader: AttachmentReader, tmp_path: Path) -> None:
    path = _file(tmp_path, b"words")
    await reader.read(path, "txt")

    killed = await _killed_while_reading(reader, path)
    after = await reader.read(path, "txt")

    assert killed.unreadable is not None
    assert "ended" in killed.unreadable
    assert after == ReadText(after.blocks, None)
    assert _text(after) == "words"


async def test_a_worker_killed_between_files_costs_none(
    reader: AttachmentReader, tmp_path: Path
) -> None:
    path = _file(tmp_path, b"words")
    await reader.read(path, "txt")
    assert reader.process_id is not None
    os.kill(reader.process_id, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, reader.process_id, os.WEXITED | os.WNOWAIT)

    assert (await reader.read(path, "txt")).unreadable is None


async def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    slow = _file(tmp_path, b"a,b\n" * 3_000_000)
    async with AttachmentReader(Limits(seconds=0.05, characters=50_000_000)) as reader:
        read = await reader.read(slow, "csv")

        assert read.unreadable == "reading it takes longer than 0.05 seconds"


async def test_after_a_file_that_took_too_long_the_next_is_read(tmp_path: Path) -> None:
    path = _file(tmp_path, b"words")
    async with AttachmentReader(Limits(seconds=3)) as reader:
        await reader.read(path, "txt")
        assert reader.process_id is not None
        os.kill(reader.process_id, signal.SIGSTOP)

        stuck = await reader.read(path, "txt")
        after = await reader.read(path, "txt")

    assert stuck == ReadText((), "reading it takes longer than 3 seconds")
    assert after.unreadable is None


async def test_a_file_that_takes_too_much_memory_costs_only_itself(tmp_path: Path) -> None:
    bomb = _file(tmp_path, _xlsx("<si><t>word</t></si>" * 800_000), "bomb")
    path = _file(tmp_path, b"words")
    async with AttachmentReader(Limits(memory=96 * _MIB)) as reader:
        read = await reader.read(bomb, "xlsx")
        after = await reader.read(path, "txt")

    assert read == ReadText((), "reading it takes more than 96 MiB of memory")
    assert after.unreadable is None


async def test_a_file_larger_than_the_memory_costs_only_itself(tmp_path: Path) -> None:
    large = _file(tmp_path, b"word " * (30 * _MIB), "large")
    async with AttachmentReader(Limits(bytes=200 * _MIB, memory=160 * _MIB)) as reader:
        read = await reader.read(large, "txt")

    assert read == ReadText((), "reading it takes more than 160 MiB of memory")


async def test_a_file_over_the_size_limit_is_not_opened(tmp_path: Path) -> None:
    path = _file(tmp_path, b"x" * (_MIB + _MIB // 2))
    async with AttachmentReader(Limits(bytes=_MIB)) as reader:
        read = await reader.read(path, "txt")

        assert read == ReadText((), "1.5 MiB, more than the limit of 1 MiB")
        assert reader.process_id is None


async def test_a_long_text_is_cut_and_says_so(tmp_path: Path) -> None:
    path = _file(tmp_path, b"a paragraph of words\n\n" * 10_000)
    async with AttachmentReader(Limits(characters=1_000)) as reader:
        read = await reader.read(path, "txt")

    assert read.unreadable == "only its first 1,000 characters are read"
    assert 900 < len(_text(read)) <= 1_000


@pytest.mark.parametrize(
    ("data", "kind", "reason"),
    [
        (b"", "txt", "an empty file"),
        (b"\n\n", "txt", "no text in it"),
        (b"x", "exe", "not a kind of file that is read"),
    ],
)
async def test_a_file_without_text_says_why(
    reader: AttachmentReader, tmp_path: Path, data: bytes, kind: str, reason: str
) -> None:
    assert await reader.read(_file(tmp_path, data), kind) == ReadText((), reason)


async def test_a_file_that_is_gone_says_so(reader: AttachmentReader, tmp_path: Path) -> None:
    read = await reader.read(tmp_path / "gone", "txt")

    assert read == ReadText((), "cannot be opened: No such file or directory")


async def test_a_cancelled_read_leaves_no_process(tmp_path: Path) -> None:
    path = _file(tmp_path, b"words")
    async with AttachmentReader() as reader:
        await reader.read(path, "txt")
        process_id = reader.process_id
        assert process_id is not None
        os.kill(process_id, signal.SIGSTOP)
        reading = asyncio.create_task(reader.read(path, "txt"))
        await asyncio.sleep(0)

        reading.cancel()
        await asyncio.wait({reading})

        assert reading.cancelled()
        assert _text(await reader.read(path, "txt")) == "words"
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


async def test_the_worker_ends_with_its_reader(tmp_path: Path) -> None:
    async with AttachmentReader() as reader:
        await reader.read(_file(tmp_path, b"words"), "txt")
        process_id = reader.process_id

    assert process_id is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="waits for a process of another")
async def test_the_worker_ends_when_its_parent_dies(tmp_path: Path) -> None:
    path = _file(tmp_path, b"words")
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from ingest.attachments.reading import AttachmentReader\n"
        "async def main():\n"
        "    async with AttachmentReader() as reader:\n"
        "        await reader.read(Path(sys.argv[1]), 'txt')\n"
        "        print(reader.process_id, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, str(path)), stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    worker = os.pidfd_open(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(worker, ended.set)

    async with asyncio.timeout(60):
        await ended.wait()

    asyncio.get_running_loop().remove_reader(worker)
    os.close(worker)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at it through /proc")
async def test_the_worker_has_no_secret_and_no_open_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONFLUENCE_API_TOKEN", "a-secret")
    path = _file(tmp_path, b"words")
    inherited = os.open(path, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    async with AttachmentReader() as reader:
        await reader.read(path, "txt")
        process = Path(f"/proc/{reader.process_id}")

        environment = (process / "environ").read_bytes()
        opened = {os.readlink(entry).partition(":")[0] for entry in (process / "fd").iterdir()}

    os.close(inherited)
    assert b"a-secret" not in environment
    assert b"HOME=" not in environment
    assert opened == {"pipe", "/dev/null"}


def test_a_confined_process_opens_neither_files_nor_sockets() -> None:
    program = (
        "import socket\n"
        "from ingest.attachments.confinement import confine\n"
        "print(*confine(1 << 30))\n"
        "for attempt in (socket.socket, lambda: open('/proc/self/environ')):\n"
        "    try:\n"
        "        attempt()\n"
        "    except OSError as error:\n"
        "        print(error.strerror)\n"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    held, *refusals = done.stdout.splitlines()
    assert {"memory", "opening"} <= set(held.split())
    assert refusals == ["Too many open files", "Too many open files"]


def test_a_process_without_a_parent_does_not_compute_for_ever() -> None:
    program = (
        "import re\n"
        "from ingest.attachments.confinement import allow_seconds\n"
        "allow_seconds(0.1)\n"
        "re.match('(a*)*b', 'a' * 99)\n"
    )

    done = subprocess.run([sys.executable, "-c", program])

    assert done.returncode == -signal.SIGXCPU


async def test_a_worker_that_cannot_start_says_so(
    reader: AttachmentReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "gone"))

    read = await reader.read(_file(tmp_path, b"words"), "txt")

    assert read.unreadable is not None
    assert read.unreadable.startswith("the reader of attachments cannot be started")
