"""What the project says of itself in pyproject.toml."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field

ROOT = Path(__file__).resolve().parent.parent
TITLE = "Confluence"
AUTHORS = "The confluence-mcp authors"


class _Table(BaseModel):
    """The table [project], as far as it is needed here."""

    name: str
    version: str
    description: str
    license: str
    keywords: list[str] = []
    urls: dict[str, str] = Field(default_factory=dict[str, str])


class _File(BaseModel):
    project: _Table


@dataclass(frozen=True, slots=True)
class Project:
    """Name and version, and what people read of them; `repository` where one is told."""

    name: str
    version: str
    description: str
    license: str
    keywords: tuple[str, ...]
    repository: str | None

    @classmethod
    def read(cls, root: Path = ROOT) -> Self:
        """What stands in a checkout."""
        content = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        told = _File.model_validate(content).project
        repository = told.urls.get("Repository")
        return cls(
            *(told.name, told.version, told.description, told.license),
            tuple(told.keywords),
            repository,
        )

    @property
    def wheel(self) -> str:
        """The file name of its wheel."""
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"
