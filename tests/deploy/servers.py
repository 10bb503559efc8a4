"""Servers of one index on ports of their own, which are stopped and started while they are used."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.server.processes import PATIENCE, SERVE, environment


@dataclass(slots=True)
class RunningServer:
    """`confluence-mcp serve` on one port, time after time."""

    port: int
    variables: Mapping[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    codes: list[int] = field(default_factory=list[int])

    def start(self) -> None:
        """Returns when it is ready."""
        self.begin()
        until(self.is_ready)

    def begin(self) -> None:
        """Starts the process."""
        with (self.folder / f"{self.port}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*SERVE, "--transport", "http", "--port", str(self.port)],
                cwd=self.folder,
                env=environment(self.variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def is_ready(self) -> bool:
        """Whether it may be sent calls."""
        assert self.process is not None
        assert self.process.poll() is None, self.said
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz").is_success
        except httpx.TransportError:
            return False

    def tell_to_stop(self) -> None:
        """As a service manager does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def takes_nobody(self) -> bool:
        """Whether it accepts no more connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except OSError:
            return True
        return False

    def wait(self) -> None:
        """Returns when it has ended, and notes its code."""
        assert self.process is not None
        self.codes.append(self.process.wait(PATIENCE))

    def kill(self) -> None:
        """Ends it at once, at the end of a test."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def said(self) -> str:
        """Its log."""
        return (self.folder / f"{self.port}.log").read_text()


def until(claim: Callable[[], bool]) -> None:
    """Returns when something holds."""
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline, claim
        time.sleep(0.02)
