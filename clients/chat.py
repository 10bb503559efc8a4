"""The command `confluence-mcp-chat`: a chat over Confluence on a local web page."""

import argparse
import logging
import os
import re
import socket
import sys
from pathlib import Path

from pydantic import ValidationError

import chat_home
from chat_brand import Brand
from chat_guard import LOOPBACK
from chat_settings import ChatSettings
from chat_store_commands import add_commands, make_ready, run_command

PAGE = Path(__file__).resolve().with_name("chat_page.py")


def main() -> int:
    """Opens the chat and serves it until Ctrl+C; 1 if it failed, 2 if it was called wrongly."""
    arguments = _arguments()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("chainlit").setLevel(logging.ERROR)
    wrong = _wrong_settings()
    if arguments.command is not None and not wrong:
        return run_command(arguments, ChatSettings())
    wrong = (
        wrong
        or _busy_port(arguments.host, arguments.port)
        or make_ready(ChatSettings(), arguments.host)
    )
    if wrong:
        print(f"confluence-mcp-chat: {wrong}", file=sys.stderr)
        return 2
    if arguments.host not in LOOPBACK and not ChatSettings().chat_sign_in:
        print(
            f"Anyone who reaches {arguments.host}:{arguments.port} can read what this chat reads.",
            file=sys.stderr,
        )
    home = chat_home.prepare(os.environ, Brand())
    try:
        _serve(arguments)
    finally:
        chat_home.discard(home)
    return 0


def _serve(arguments: argparse.Namespace) -> None:
    # Importing Chainlit reads its environment and creates files, so only after the preparation.
    from chainlit.cli import run_chainlit
    from chainlit.config import config

    host, port, path = arguments.host, arguments.port, arguments.root_path
    os.environ.update(CHAINLIT_HOST=host, CHAINLIT_PORT=str(port), CHAINLIT_ROOT_PATH=path)
    config.run.headless = arguments.headless
    address = f"http://{_in_url(host)}:{port}{path}"
    print(f"The chat opens at {address} (Ctrl+C ends it).", file=sys.stderr)
    run_chainlit(str(PAGE))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="confluence-mcp-chat", description=__doc__)
    given = os.environ
    parser.add_argument(
        "--host",
        default=given.get("CHAINLIT_HOST") or "127.0.0.1",
        help="address to listen on (CHAINLIT_HOST; %(default)s)",
    )
    parser.add_argument(
        "--port",
        default=given.get("CHAINLIT_PORT") or 8000,
        type=int,
        help="port to listen on (CHAINLIT_PORT; %(default)s)",
    )
    parser.add_argument(
        "--root-path",
        default=given.get("CHAINLIT_ROOT_PATH") or "",
        type=_path,
        metavar="PATH",
        help="path below which a proxy shows the chat, such as /wiki (CHAINLIT_ROOT_PATH)",
    )
    parser.add_argument("--headless", action="store_true", help="do not open a browser")
    add_commands(parser)
    return parser.parse_args()


def _path(text: str) -> str:
    path = text.rstrip("/")
    if path and not re.fullmatch(r"(/[\w.~-]+)+", path, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no path such as /wiki")
    return path


def _wrong_settings() -> str | None:
    try:
        settings = ChatSettings()
        if not settings.server_command:
            return "CONFLUENCE_MCP_COMMAND is empty."
        Brand()
    except ValidationError as error:
        wrong = (f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        return f"Wrong settings: {'; '.join(wrong)}."
    except ValueError as error:
        return f"CONFLUENCE_MCP_COMMAND cannot be read: {error}."
    return None


def _busy_port(host: str, port: int) -> str | None:
    # Chainlit would end without a word and with exit code 0.
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family):
            return None
    except (OSError, OverflowError) as error:
        return f"Cannot listen on {host}:{port} ({error}). Give another --port."


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    raise SystemExit(main())
