"""The door to any Postgres: what it offers, and what it says when it cannot open."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from pgvector import HalfVector
from pydantic import SecretStr

from index.database import Database
from index.embedded_postgres import DATABASE
from index.errors import DatabaseError
from index.settings import IndexSettings
from tests.conftest import Postgres

pytestmark = pytest.mark.anyio

Refusal = Callable[..., "object"]


@pytest.fixture
def role(postgres: Postgres) -> Generator[str]:
    """A user without any rights, dropped after the test."""
    postgres.run("CREATE ROLE plain_user LOGIN PASSWORD 'p@ss:word'")
    yield "plain_user"
    postgres.run("DROP ROLE plain_user")
