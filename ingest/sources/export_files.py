"""Space exports on disk: where they are, and their files, zipped or unpacked."""

import logging
import re
import zipfile
import zlib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

from index.errors import SourceError
from ingest.sources.source import Deployment

logger = logging.getLogger(__name__)

ENTITIES = "entities.xml"
DESCRIPTOR = "exportDescriptor.properties"
DESCRIPTOR_BYTES = 1 << 20

# RuntimeError: an encrypted member, or a compression that this Python lacks.
UNREADABLE = (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)

_WHAT_TO_GIVE = (
    "Give the zip of a Confluence space export in XML format, the folder it was unpacked to, or a "
    "folder that holds several of these."
)


@dataclass(frozen=True, slots=True)
class ExportFiles:
    """One export. In a zip the files may lie in one `folder`; nothing is ever unpacked."""

    path: Path
    folder: str = ""

    @contextmanager
    def open(self, name: str) -> Generator[IO[bytes]]:
        """A file of the export; whatever cannot be read becomes a SourceError."""
        try:
            if self.path.is_dir():
                with (self.path / name).open("rb") as stream:
                    yield stream
            else:
                with (
                    zipfile.ZipFile(self.path) as archive,
                    archive.open(self.folder + name) as stream,
                ):
                    yield stream
        except UNREADABLE as error:
            raise _broken(self.path, error) from error

    def has(self, name: str) -> bool:
        """Whether the export has this file."""
        if self.path.is_dir():
            return (self.path / name).is_file()
        return self.folder + name in _members(self.path)


def find_exports(path: Path) -> list[ExportFiles]:
    """The export at `path`, or all exports right inside that folder, by name."""
    if not path.exists():
        raise SourceError(f"There is no export at {path}. {_WHAT_TO_GIVE}")
    found = _export_at(path)
    if found is not None:
        return [found]
    if not path.is_dir():
        raise SourceError(f"{path} is not a Confluence export. {_WHAT_TO_GIVE}")
    exports = [found for item in sorted(path.iterdir()) if (found := _member_export(item))]
    if not exports:
        raise SourceError(f"No Confluence export was found in {path}. {_WHAT_TO_GIVE}")
    return exports


def _member_export(path: Path) -> ExportFiles | None:
    found = _export_at(path)
    is_claimed = path.suffix.lower() == ".zip" or (path / DESCRIPTOR).is_file()
    if found is None and is_claimed:
        # Passing over it would make its pages look deleted.
        raise SourceError(
            f"{path} holds no {ENTITIES}. Complete it, or move it out of the folder of exports."
        )
    return found


def _export_at(path: Path) -> ExportFiles | None:
    if path.is_dir():
        return ExportFiles(path) if (path / ENTITIES).is_file() else None
    if path.suffix.lower() != ".zip" and not zipfile.is_zipfile(path):
        return None
    folders = [
        name.removesuffix(ENTITIES)
        for name in _members(path)
        if re.fullmatch(rf"([^/]+/)?{re.escape(ENTITIES)}", name)
    ]
    return ExportFiles(path, min(folders, key=len)) if folders else None


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except UNREADABLE as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> SourceError:
    return SourceError(
        f"The export {path} cannot be read ({type(error).__name__}: {error}). Check that the file "
        "is complete and readable, or download the export again."
    )


def timezone_of(export: ExportFiles) -> tzinfo:
    """The time zone of an export's times; UTC when its descriptor names none that is known."""
    name = _descriptor(export).get("timezoneId")
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        logger.warning("unknown time zone, using UTC: export=%s timezone=%r", export.path, name)
        return UTC


_DEPLOYMENTS = {"cloud": Deployment.CLOUD, "server": Deployment.DATACENTER}


def deployment_of(exports: Iterable[ExportFiles]) -> Deployment | None:
    """The kind of Confluence that made the exports; None when no descriptor tells."""
    sources = (_descriptor(export).get("source", "").lower() for export in exports)
    return next((_DEPLOYMENTS[source] for source in sources if source in _DEPLOYMENTS), None)


def _descriptor(export: ExportFiles) -> dict[str, str]:
    if not export.has(DESCRIPTOR):
        return {}
    with export.open(DESCRIPTOR) as stream:
        return _properties(stream.read(DESCRIPTOR_BYTES).decode("latin-1"))


def _properties(text: str) -> dict[str, str]:
    """The lines `key=value` of a Java properties file, with its backslash escapes undone."""
    pairs = re.findall(r"^[ \t]*([^#!\s=:][^\s=:]*)[ \t]*[=:][ \t]*(.*?)\s*$", text, re.MULTILINE)
    return {key: re.sub(r"\\(.)", r"\1", value) for key, value in pairs}
