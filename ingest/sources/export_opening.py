"""Opens exports: stages what they hold, and keeps at hand where their attachments lie."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from index.errors import SourceError
from ingest.sources.entities import entities
from ingest.sources.export_attachments import AttachmentFiles
from ingest.sources.export_files import (
    ENTITIES,
    ExportFiles,
    deployment_of,
    find_exports,
    timezone_of,
)
from ingest.sources.source import Deployment
from ingest.sources.staging import STAGED_CLASSES, finish, load, open_staging


@dataclass(frozen=True, slots=True)
class OpenedExports:
    """All exports of one path; `deployment` is None where none of them tells it."""

    database: sqlite3.Connection
    files: AttachmentFiles
    deployment: Deployment | None

    def close(self) -> None:
        """Deletes what was staged."""
        self.files.close()
        self.database.close()


def open_exports(path: Path) -> OpenedExports:
    """The exports at a path, read to their end; SourceError when that is not possible."""
    exports = find_exports(path)
    database = open_staging()
    try:
        _stage(database, exports)
        return OpenedExports(database, AttachmentFiles(exports), deployment_of(exports))
    except sqlite3.Error as error:
        database.close()
        raise SourceError(
            f"The export {path} cannot be staged ({error}). It needs about its unpacked size of "
            "free disk space in the temporary folder (TMPDIR)."
        ) from error
    except OSError as error:
        database.close()
        raise SourceError(
            f"The export {path} cannot be read ({error.strerror}). Check who may read it."
        ) from error
    except BaseException:
        database.close()
        raise


def _stage(database: sqlite3.Connection, exports: list[ExportFiles]) -> None:
    for number, export in enumerate(exports):
        with export.open(ENTITIES) as stream:
            load(database, number, entities(stream, STAGED_CLASSES), timezone_of(export))
    finish(database)
