"""Changes to a file of settings: only the lines that change, in one step, with a backup."""

import contextlib
import difflib
import io
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Binding, parse_stream
from pydantic import SecretStr

from index.errors import ConfigurationError
from ingest.settings import IngestSettings
from server.settings import ServerSettings

PRIVATE = 0o600
HEAD = "# Settings of confluence-mcp; .env.example and the documentation list all of them.\n"
_PLAIN = re.compile(r"[\w@%+=:,./~?&-]*", re.ASCII)
_SECRET_MEMBER = re.compile(
    r'("[^"\n]*(?:key|token|secret|passw|auth)[^"\n]*"\s*:\s*")(?:[^"\\\n]|\\.)*(")', re.IGNORECASE
)
_REMARK = re.compile(r"""(?:["']|=[^"'\n]*?)([ \t]+#[^\n]*)\n?$""")


def secret_names() -> frozenset[str]:
    """The variables whose values are never shown."""
    return frozenset(
        name.upper()
        for settings in (IngestSettings, ServerSettings)
        for name, field in settings.model_fields.items()
        if SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))
    )


def with_variables(text: str, variables: Mapping[str, str]) -> str:
    """The text of an `.env` with these values; all other lines and comments stay as they are.

    An empty value needs a line only where there is one already.
    """
    bindings = list(parse_stream(io.StringIO(text)))
    lines = [binding.original.string for binding in bindings]
    added: list[str] = []
    current = dotenv_values(stream=io.StringIO(text))
    for name, value in variables.items():
        if (current.get(name) or "") == value:
            continue
        places = [at for at, binding in enumerate(bindings) if binding.key == name]
        written = f"{name}={_written(value)}"
        if places:  # the last one counts
            lines[places[-1]] = _replaced(bindings[places[-1]], written)
        elif value:
            added.append(f"{written}\n")
    kept = "".join(lines) or (HEAD if added else "")
    if added and not kept.endswith("\n"):
        kept += "\n"
    changed = kept + "".join(added)
    _check(changed, variables)
    return changed


def _replaced(binding: Binding, written: str) -> str:
    """The new line in place of the old one; what stands before and behind it stays."""
    old = binding.original.string
    begin = len(old) - len(old.lstrip())
    export = "export " if old[begin:].startswith("export ") else ""
    remark = None if written.endswith("=") else _REMARK.search(old)
    end = "\n" if old.endswith("\n") else ""
    return f"{old[:begin]}{export}{written}{remark[1] if remark else ''}{end}"


def _written(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _check(text: str, variables: Mapping[str, str]) -> None:
    read = dotenv_values(stream=io.StringIO(text))
    for name, value in variables.items():
        if (read.get(name) or "") != value:
            raise ConfigurationError(
                f"The value of {name} cannot be written into .env so that it is read back as it "
                "is. Set it in the environment in its place."
            )


def variables_difference(old: str, new: str, name: str) -> str:
    """What changes in an `.env`, as lines with - and +, with the values of secrets hidden."""
    values = [dotenv_values(stream=io.StringIO(text)) for text in (old, new)]
    changed = frozenset(key for key in secret_names() if values[0].get(key) != values[1].get(key))
    return difference(_masked(old, changed, "old"), _masked(new, changed, "new"), name)


def _masked(text: str, changed: frozenset[str], mark: str) -> str:
    """The text with secrets hidden; those that have `changed` are marked, to look different."""
    secrets = secret_names()
    lines: list[str] = []
    for binding in parse_stream(io.StringIO(text)):
        line = binding.original.string
        if binding.key in secrets and binding.value:
            hidden = f"({mark}, hidden)" if binding.key in changed else "(hidden)"
            line = _replaced(binding, f"{binding.key}={hidden}")
        lines.append(line)
    return "".join(lines)


def difference(old: str, new: str, name: str) -> str:
    """What changes in a file, as lines with - and +; empty when nothing does.

    Nothing else of it is shown.
    """
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"{name} as it is", f"{name} as it will be", "", "", 0
    )
    return "\n".join(line.rstrip("\n") for line in lines if not line.startswith("@@"))


def without_secrets(json_text: str) -> str:
    """JSON for a terminal, with the values hidden whose names sound like secrets."""
    return _SECRET_MEMBER.sub(r"\1(hidden)\2", json_text)


def read_text(path: Path) -> str:
    """The text of a file with its own line ends; empty where there is none."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}.") from error


def write(path: Path, text: str, *, private: bool = False) -> Path | None:
    """Writes a file in one step; gives the backup of what was there.

    A `private` file can be read by its owner alone, and so can its backup; another one keeps the
    rights that it had. Raises ConfigurationError; the file is then as it was.
    """
    target = path.resolve()  # a link to a file that is kept elsewhere stays one
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        backup = _backup(target, private=private)
        mode = PRIVATE if private or backup is None else target.stat().st_mode & 0o777
        _write_at_once(target, text, mode)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error}.") from error
    return backup


def _backup(path: Path, *, private: bool) -> Path | None:
    if not path.exists():
        return None
    backup, number = path.with_name(f"{path.name}.bak"), 1
    while backup.exists():
        number += 1
        backup = path.with_name(f"{path.name}.bak{number}")
    with _new_file(backup) as file:
        file.write(path.read_bytes())
    if not private:
        shutil.copymode(path, backup)
    return backup


def _new_file(path: Path) -> io.BufferedWriter:
    """A file that nobody else can read, not even for a moment."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "wb")


def _write_at_once(path: Path, text: str, mode: int) -> None:
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
