"""Rows of statements, and what all of them that tell of pages have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString, TypeVar

from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from index.records import ContentType, State
from index.results import PageInfo

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class PageRow:
    """What every statement that lists pages tells of each, by the names of its columns."""

    page_id: str
    title: str
    url: str
    space_key: str
    content_type: str
    version: int
    state: str
    author: str | None
    updated_at: datetime

    @property
    def info(self) -> PageInfo:
        """The page."""
        return PageInfo(
            page_id=self.page_id,
            title=self.title,
            url=self.url,
            space_key=self.space_key,
            content_type=ContentType(self.content_type),
            version=self.version,
            state=State(self.state),
            author=self.author,
            updated_at=self.updated_at,
        )


async def rows_of(
    connection: AsyncConnection[TupleRow],
    kind: type[Row],
    query: LiteralString,
    values: Mapping[str, object],
) -> list[Row]:
    """The rows that a query gives, each as an object whose fields its columns name."""
    async with connection.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute(query, values)
        return await cursor.fetchall()
