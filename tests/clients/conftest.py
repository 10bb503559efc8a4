"""The chat as its user starts it, and a browser that notes every request that leaves loopback."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, sync_playwright

PROJECT = Path(__file__).resolve().parents[2]
CLIENTS = PROJECT / "clients"
WIKI = Path(__file__).with_name("wiki_server.py")
CHROMIUM = "/usr/bin/chromium"
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
SILENT = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
START_SECONDS = 240
ANSWER_MILLISECONDS = 120_000
CHAT_VARIABLES = ("OPENAI_", "CHAT_", "CONFLUENCE_", "CHAINLIT_", "OAUTH_", "VIRTUAL_ENV")

# The chat is a project of its own; its modules without Chainlit are tested from here.
sys.path.insert(0, str(CLIENTS))
UNNAMED = re.compile(r"^\s*- (?:button|link|textbox|combobox|dialog|separator)(?:$|:| \[).*", re.M)

Chats = Callable[..., AbstractContextManager["RunningChat"]]


@dataclass(frozen=True, slots=True)
class RunningChat:
    """A chat that was started: its address, and the folder that it was started in."""

    url: str
    folder: Path


@dataclass(slots=True)
class ChatTab:
    """A browser tab with the chat open; `left` are the requests that went elsewhere."""

    page: Page
    pictures: Path
    left: list[str] = field(default_factory=list[str])

    def open(self, chat: RunningChat) -> None:
        """Opens a new chat."""

        def only(route: Route) -> None:
            if route.request.url.startswith((chat.url, "data:", "blob:")):
                route.fallback()
            else:
                self.left.append(route.request.url)
                route.abort()

        self.page.route("**/*", only)
        self.page.goto(chat.url)
        self.page.wait_for_selector("#chat-input")

    def ask(self, question: str) -> str:
        """The text of the answer, once it is whole."""
        before = self.page.locator("[data-step-type=assistant_message]").count()
        self.send(question)
        return self.answer(before)

    def send(self, question: str) -> None:
        """Asks without waiting for the answer."""
        self.page.locator("#chat-input").fill(question)
        self.page.locator("#chat-submit").click()

    def ask_again(self) -> str:
        """The text of another answer to the last question."""
        before = self.page.locator("[data-step-type=assistant_message]").count()
        self.page.get_by_role("button", name="Ask again for another answer").click()
        return self.answer(before)

    def answer(self, before: int) -> str:
        """The text of the answer that follows as many messages, once it is whole."""
        answers = self.page.locator("[data-step-type=assistant_message]")
        answers.nth(before).wait_for()
        self.page.locator("#chat-submit").wait_for()
        return answers.last.inner_text()

    def begin(self, question: str) -> str:
        """The text of the answer to one of the questions to begin with."""
        self.page.locator("#starters button", has_text=question).click()
        return self.answer(before=0)

    def steps(self) -> list[str]:
        """The look-ups that are shown."""
        return self.page.locator("[data-step-type=tool]").all_inner_texts()

    def source(self, marker: str) -> Locator:
        """Opens a source of the last answer that has one, and returns the side panel."""
        self.page.locator("a.element-link", has_text=marker).last.click()
        self.page.locator("#side-view-title", has_text=marker).wait_for()
        panel = self.page.locator("#side-view-content")
        panel.locator(".side-text h2").wait_for()
        return panel

    def narrow_to(self, width: int) -> None:
        """Shows the page at the width of a small screen."""
        self.page.set_viewport_size({"width": width, "height": 844})

    def keep_picture(self, name: str) -> None:
        """Keeps what is seen now as a file."""
        self.page.screenshot(path=self.pictures / f"{name}.png", animations="disabled")

    def unnamed(self) -> list[str]:
        """What can be operated but has no name for a screen reader."""
        return UNNAMED.findall(self.page.locator("body").aria_snapshot())

    def is_wider_than_the_screen(self) -> bool:
        """Whether the page would have to be scrolled sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.fixture(scope="session")
def uv() -> str:
    """The program that starts the chat."""
    return shutil.which("uv") or _absent("uv")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; while it is open no asynchronous test can run."""
    if not Path(CHROMIUM).exists():
        _absent(CHROMIUM)
    with sync_playwright() as playwright:
        arguments = ["--headless", *QUIET, *SILENT]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of the page are kept; CI names a folder to look at them later."""
    named = os.environ.get("CHAT_SCREENSHOTS")
    folder = Path(named) if named else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def tab(browser: Browser, pictures: Path) -> Iterator[ChatTab]:
    """A tab of its own for each test."""
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.set_default_timeout(ANSWER_MILLISECONDS)
    yield ChatTab(page, pictures)
    page.close()


@pytest.fixture(scope="module")
def chats(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Chats:
    """Starts a chat with the given variables set and no others of its own."""

    @contextmanager
    def start(variables: Mapping[str, str]) -> Generator[RunningChat]:
        chat = RunningChat(f"http://127.0.0.1:{free_port()}", tmp_path_factory.mktemp("folder"))
        command = [uv, "run", "--project", str(CLIENTS), "confluence-mcp-chat", "--headless"]
        process = subprocess.Popen(
            [*command, "--port", chat.url.rpartition(":")[2]],
            cwd=chat.folder,
            env=_clean_environment() | dict(variables),
        )
        try:
            wait_until_up(chat.url, process)
            yield chat
        finally:
            process.terminate()
            process.wait(timeout=30)

    return start


@contextmanager
def wiki_at(port: int) -> Generator[None]:
    """The small wiki over HTTP."""
    process = subprocess.Popen([sys.executable, str(WIKI), str(port)])
    try:
        wait_until_up(f"http://127.0.0.1:{port}", process)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    """Returns when the port accepts connections; fails when the process ended instead."""
    address = ("127.0.0.1", urlsplit(url).port)
    end = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(address).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"nothing answers at {url}; exit code {process.poll()}")


def _clean_environment() -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(CHAT_VARIABLES)
    }
    # With this variable Chainlit alone would look for a database of its own.
    return kept | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}


def _absent(program: str) -> str:
    if os.environ.get("CI"):
        pytest.fail(f"CI needs {program}")
    pytest.skip(f"{program} is not installed")
