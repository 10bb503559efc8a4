"""The folder from which Chainlit runs: our settings and looks, and a page that loads no CDN."""

import json
import re
import shutil
import tempfile
from collections.abc import MutableMapping
from importlib.util import find_spec
from pathlib import Path

from chat_brand import Brand

Words = dict[str, "str | Words"]

FILES = Path(__file__).resolve().parent / "chat_files"
EXTERNAL_LINK = re.compile(r"<link\b[^>]*\bhref=\"https?://[^>]*>\s*")

# Each of these would make Chainlit open a database or a bot of its own.
SWITCHES = (
    "DATABASE_URL",
    "DISCORD_BOT_TOKEN",
    "LITERAL_API_KEY",
    "SLACK_BOT_TOKEN",
    "TEAMS_APP_ID",
)


def prepare(environment: MutableMapping[str, str], brand: Brand) -> Path:
    """A new private folder, named in `environment` so that Chainlit uses it once imported."""
    home = Path(tempfile.mkdtemp(prefix="confluence-mcp-chat-"))
    chainlit = _package()
    shutil.copytree(FILES / "public", home / "public")
    shutil.copy(FILES / "chainlit.md", home)
    (home / ".chainlit").mkdir()
    config = (FILES / "config.toml").read_text(encoding="utf-8")
    named = config.replace('name = "Confluence"', f"name = {json.dumps(brand.chat_name)}")
    (home / ".chainlit" / "config.toml").write_text(named, encoding="utf-8")
    dress(home / "public", brand)
    _translate(chainlit / "translations", home / ".chainlit" / "translations")
    _build_page(chainlit / "frontend" / "dist", home / "frontend")
    for name in SWITCHES:
        environment.pop(name, None)
    environment["CHAINLIT_APP_ROOT"] = str(home)
    # Chainlit reads .env itself, and would find the switches there.
    environment["CHAINLIT_ENV_FILE"] = str(home / "no.env")
    return home


def discard(home: Path) -> None:
    """Removes the folder with all that Chainlit kept in it."""
    shutil.rmtree(home, ignore_errors=True)


def _package() -> Path:
    spec = find_spec("chainlit")
    if spec is None or spec.origin is None:
        raise ImportError("Chainlit is not installed. Start the chat with `uv run`.")
    return Path(spec.origin).parent


def dress(public: Path, brand: Brand) -> None:
    """The company's colour in both themes, and its logo in each place that shows one."""
    theme = public / "theme.json"
    looks = json.loads(theme.read_text(encoding="utf-8"))
    for name, variables in looks["variables"].items():
        variables.update(brand.colours(dark=name == "dark"))
    theme.write_text(json.dumps(looks), encoding="utf-8")
    if brand.chat_logo is None:
        for logo in public.glob("logo_*.svg"):
            drawn = logo.read_text(encoding="utf-8")
            logo.write_text(drawn.replace(">Confluence<", f">{brand.xml_name}<"), encoding="utf-8")
    else:
        for name in ("favicon", "logo_light", "logo_dark"):
            (public / f"{name}.svg").unlink()
            shutil.copy(brand.chat_logo, public / f"{name}{brand.logo_kind}")
    shutil.copy(public / f"favicon{brand.logo_kind}", public / f"mark{brand.logo_kind}")


def _translate(source: Path, target: Path) -> None:
    """Chainlit's translations without the word before a step, whose name is a whole phrase."""
    target.mkdir()
    for file in source.glob("*.json"):
        words = json.loads(file.read_text(encoding="utf-8"))
        words["chat"]["messages"]["status"] = {"using": "", "used": ""}
        # The page asks for it in lower case.
        errors = words["auth"]["login"]["errors"]
        errors["credentialssignin"] = errors["credentialsSignin"]
        own = FILES / "words" / file.name
        if own.exists():
            _replace(words, json.loads(own.read_text(encoding="utf-8")))
            # Chainlit gives English to those of another country.
            language = target / f"{file.stem.partition('-')[0]}.json"
            language.write_text(json.dumps(words), encoding="utf-8")
        (target / file.name).write_text(json.dumps(words), encoding="utf-8")


def _replace(words: Words, own: Words) -> None:
    """Puts our own words in the place of Chainlit's, at any depth."""
    for name, word in own.items():
        here = words[name]
        if isinstance(word, str) or isinstance(here, str):
            words[name] = word
        else:
            _replace(here, word)


def _build_page(source: Path, target: Path) -> None:
    """Chainlit's page without its links to fonts and styles elsewhere."""
    target.mkdir()
    for entry in source.iterdir():
        _link_or_copy(entry, target / entry.name)
    page = (source / "index.html").read_text(encoding="utf-8")
    (target / "index.html").unlink()
    (target / "index.html").write_text(EXTERNAL_LINK.sub("", page), encoding="utf-8")


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:
        # Windows lets only some users make links.
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
