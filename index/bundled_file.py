"""Model files that come inside installed packages: found without importing, checked by hash."""

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from index.errors import EmbeddingError


@dataclass(frozen=True, slots=True)
class BundledFile:
    """A file of an installed distribution; `sha256` is the hash of the only version we know."""

    distribution: str
    path: str
    sha256: str


def verified(file: BundledFile, at: Path | None = None) -> Path:
    """Where the file lies (`at` looks elsewhere), or EmbeddingError unless it is unchanged.

    Another version of the weights gives vectors that look right and compare wrong with those in
    the index, so it is refused rather than used.
    """
    path = at or _installed(file)
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise EmbeddingError(_advice(file, path, "cannot be read")) from error
    if digest != file.sha256:
        raise EmbeddingError(_advice(file, path, "is not the version that this program knows"))
    return path


def _installed(file: BundledFile) -> Path:
    try:
        return Path(str(metadata.distribution(file.distribution).locate_file(file.path)))
    except metadata.PackageNotFoundError as error:
        raise EmbeddingError(_advice(file, Path(file.path), "is not installed")) from error


def _advice(file: BundledFile, path: Path, what: str) -> str:
    return (
        f"The bundled model file {path} {what}. Reinstall the package {file.distribution} "
        f"(`uv sync --reinstall-package {file.distribution}`) or set EMBEDDING_MODEL to a model "
        "of an endpoint."
    )
