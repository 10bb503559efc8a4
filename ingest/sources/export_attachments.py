"""The files of attachments in exports, read without unpacking anything."""

import re
import threading
import zipfile
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import IO, BinaryIO

from ingest.sources.export_files import UNREADABLE, ExportFiles
from ingest.sources.http import NotVisible, UnexpectedAnswer
from ingest.sources.staged_items import StagedFile

BLOCK_BYTES = 1 << 16

_MEMBER = re.compile(r"attachments/\d+/\d+/\d+")
# The only ones that exports use, and that can be undone a block at a time.
_COMPRESSIONS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class AttachmentFiles:
    """Copies attachments out of exports, also from several threads.

    A zip stays open from its first attachment until `close`.
    """

    def __init__(self, exports: Sequence[ExportFiles]) -> None:
        self._exports = exports
        self._archives: dict[int, zipfile.ZipFile] = {}
        self._lock = threading.Lock()
        self._opened = ExitStack()

    def close(self) -> None:
        """Closes all zips."""
        self._opened.close()
        self._archives.clear()

    def copy(self, attachment: StagedFile, file: BinaryIO, limit: int) -> None:
        """Writes the bytes of an attachment.

        Raises NotVisible when the export lacks them, UnexpectedAnswer when they are more than
        `limit` or cannot be read.
        """
        # The ids come from the export, which anybody may have written.
        if not _MEMBER.fullmatch(attachment.member):
            raise _missing(attachment)
        copied = 0
        with self._open(attachment) as stream:
            while block := _read(stream, attachment):
                copied += len(block)
                if copied > limit:
                    raise UnexpectedAnswer(
                        f"The attachment {attachment.filename} of page {attachment.container_id} "
                        f"has more than {limit} bytes."
                    )
                file.write(block)

    @contextmanager
    def _open(self, attachment: StagedFile) -> Generator[IO[bytes]]:
        export = self._exports[attachment.export]
        opened = _in_folder if export.path.is_dir() else self._in_zip
        try:
            stream = opened(export, attachment)
        except KeyError as error:
            raise _missing(attachment) from error
        except UNREADABLE as error:
            raise _broken(attachment, error) from error
        with stream:
            yield stream

    def _in_zip(self, export: ExportFiles, attachment: StagedFile) -> IO[bytes]:
        with self._lock:
            archive = self._archives.get(attachment.export)
            if archive is None:
                archive = self._opened.enter_context(zipfile.ZipFile(export.path))
                self._archives[attachment.export] = archive
            member = archive.getinfo(export.folder + attachment.member)
            if member.compress_type not in _COMPRESSIONS:
                raise RuntimeError(f"compressed in the way {member.compress_type}")
            return archive.open(member)


def _in_folder(export: ExportFiles, attachment: StagedFile) -> IO[bytes]:
    path = (export.path / attachment.member).resolve()
    # A link would lead out of the export, and reading a pipe would never end.
    if not path.is_relative_to(export.path.resolve()) or not path.is_file():
        raise KeyError(attachment.member)
    return path.open("rb")


def _read(stream: IO[bytes], attachment: StagedFile) -> bytes:
    try:
        return stream.read(BLOCK_BYTES)
    except UNREADABLE as error:
        raise _broken(attachment, error) from error


def _missing(attachment: StagedFile) -> NotVisible:
    return NotVisible(
        f"The export has no file for the attachment {attachment.filename} of page "
        f"{attachment.container_id}. Export the space again, with attachments."
    )


def _broken(attachment: StagedFile, error: Exception) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"The attachment {attachment.filename} of page {attachment.container_id} cannot be read "
        f"from the export ({type(error).__name__}: {error}). Download the export again."
    )
