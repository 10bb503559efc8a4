"""Reads settings from the environment, `.env` and files of secrets, and says all that is wrong."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from index.errors import ConfigurationError

# Docker and Kubernetes mount a file for each secret there; systemd tells its folder.
SECRETS = Path("/run/secrets")
CREDENTIALS = "CREDENTIALS_DIRECTORY"

Settings = TypeVar("Settings", bound=BaseSettings)


def read_settings(
    kind: type[Settings], checks: Sequence[Callable[[Settings], object]] = ()
) -> Settings:
    """The settings of this process.

    Raises ConfigurationError with all that is wrong: each variable with what it should be, and
    what `checks` raise where some contradict each other.
    """
    given: dict[str, object] = {"_secrets_dir": secret_folders()}
    wrong: dict[str, str] = {}
    try:
        settings = kind.model_validate(given)
    except ValidationError as error:
        wrong = _wrong_variables(kind, error)
        # What is right is looked at all the same.
        settings = kind.model_validate(given | {name: _default(kind, name) for name in wrong})
    found = problems(*(partial(check, settings) for check in checks))
    # What was left out just now is not to be asked for.
    found = [text for text in found if not any(name.upper() in text for name in wrong)]
    if wrong or found:
        raise ConfigurationError("\n".join((*wrong.values(), *found)))
    return settings


def check_all(*checks: Callable[[], object]) -> None:
    """Raises one ConfigurationError with what any of the checks raise."""
    if found := problems(*checks):
        raise ConfigurationError("\n".join(found))


def problems(*checks: Callable[[], object]) -> list[str]:
    """What is wrong, as the checks say that raise ConfigurationError."""
    found: list[str] = []
    for check in checks:
        try:
            check()
        except ConfigurationError as error:
            found.append(str(error))
    return found


def secret_folders() -> list[Path]:
    """Where a file may stand in for a variable; its name is that of the variable, in any case."""
    named = os.environ.get(CREDENTIALS)
    folders = [SECRETS, *([Path(named)] if named else [])]
    return [folder for folder in folders if folder.is_dir()]


def _wrong_variables(kind: type[BaseSettings], error: ValidationError) -> dict[str, str]:
    """By name of the field: what is wrong with it, and what it should be."""
    return {
        name: f"{name.upper()}: {item['msg'].removeprefix('Value error, ').rstrip('.')}.\n"
        f"Correct or unset it: {kind.model_fields[name].description}"
        for item in error.errors(include_input=False, include_context=False, include_url=False)
        if (name := str(item["loc"][0])) in kind.model_fields
    }


def _default(kind: type[BaseSettings], name: str) -> object:
    return kind.model_fields[name].get_default(call_default_factory=True)
