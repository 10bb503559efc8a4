"""What setup changes in files: an `.env`, and what clients of MCP keep about their servers."""

import io
import json
import os
import re
import stat
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from confluence_mcp.setup_clients import Machine, Wish, chosen_clients, enter
from confluence_mcp.setup_file import read_text, variables_difference, with_variables, write
from confluence_mcp.setup_json import UnsafeEdit, with_server
from index.errors import ConfigurationError
from server.client_configs import (
    CLAUDE_CODE,
    CLAUDE_DESKTOP,
    CLIENTS,
    CURSOR,
    EXAMPLE_REMOTE,
    INSTALLED,
    VSCODE,
    ZED,
    Client,
    Launch,
    Remote,
)
from tests.command import ROOT
from tests.person import Person

ENTRY = {"command": "uvx", "args": ["confluence-mcp", "serve"]}
SETTINGS = """\
// my settings
{
  "theme": "One Dark", // dark
  "context_servers": {
    /* of the team */
    "jira": { "command": "jira-mcp", "env": { "JIRA_TOKEN": "s3cret" } },
  },
  "vim_mode": true,
}
"""

values = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=40)
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=8)
documents = st.dictionaries(
    st.sampled_from(["a", "b//c", '"', "mcpServers"]),
    st.recursive(
        scalars,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["confluence", "x", "/*"]), inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def read(text: str) -> dict[str, str | None]:
    """What a program reads from an `.env`."""
    return dotenv_values(stream=io.StringIO(text))


def test_only_the_lines_of_an_env_change_that_say_something_else() -> None:
    old = (
        "# ours\nCONFLUENCE_URL=https://old  # where\n\nOTHER='a\nCONFLUENCE_URL=b'\n"
        'export OPENAI_API_KEY=sk-1\nCHAT_MODEL=\nEMBEDDING_MODEL="local"  # kept'
    )
    changes = {
        "CONFLUENCE_URL": "https://new/wiki",
        "OPENAI_API_KEY": "",
        "CHAT_MODEL": "",
        "EMBEDDING_MODEL": "local",
        "CONFLUENCE_SPACES": "ENG",
        "POSTGRES_URL": "",
    }

    new = with_variables(old, changes)

    assert new == (
        "# ours\nCONFLUENCE_URL=https://new/wiki  # where\n\nOTHER='a\nCONFLUENCE_URL=b'\n"
        'export OPENAI_API_KEY=\nCHAT_MODEL=\nEMBEDDING_MODEL="local"  # kept\n'
        "CONFLUENCE_SPACES=ENG\n"
    )
    assert with_variables(new, changes) == new


@given(values, values)
def test_a_value_is_read_back_as_it_is_or_refused(old: str, new: str) -> None:
    before = "FIRST=1\nLAST=2\n"
    try:
        text = with_variables(with_variables(before, {"X": old}), {"X": new})
    except ConfigurationError:
        assert "$" in old + new or old != old.strip() or new != new.strip() or "#" in old + new
        return

    assert (read(text).get("X") or "", read(text)["FIRST"], read(text)["LAST"]) == (new, "1", "2")


def test_neither_old_nor_new_secrets_are_shown_nor_what_does_not_change() -> None:
    old = (
        "AWS_SECRET=aws-1\n#CONFLUENCE_API_TOKEN=tok-0\nCONFLUENCE_API_TOKEN=tok-1\nCHAT_MODEL=a\n"
    )
    new = with_variables(
        old, {"CONFLUENCE_API_TOKEN": "tok-2", "POSTGRES_URL": "postgresql://u:pw@h/d"}
    )

    shown = variables_difference(old, new, ".env")

    assert shown.splitlines()[2:] == [
        "-CONFLUENCE_API_TOKEN=(old, hidden)",
        "+CONFLUENCE_API_TOKEN=(new, hidden)",
        "+POSTGRES_URL=(new, hidden)",
    ]


@pytest.mark.skipif(os.name == "nt", reason="rights of files")
def test_a_file_is_written_in_one_step_with_its_rights_and_a_backup(tmp_path: Path) -> None:
    kept, link = tmp_path / "dotfiles" / "mcp.json", tmp_path / "mcp.json"
    kept.parent.mkdir()
    kept.write_text("old")
    kept.chmod(0o640)
    link.symlink_to(kept)
    secret = tmp_path / ".env"
    secret.write_text("A=1\n")
    secret.chmod(0o644)

    backups = [write(link, "new"), write(link, "newer"), write(secret, "A=2\n", private=True)]

    assert [path.name for path in backups if path] == ["mcp.json.bak", "mcp.json.bak2", ".env.bak"]
    assert (link.is_symlink(), kept.read_text(), stat.S_IMODE(kept.stat().st_mode)) == (
        True,
        "newer",
        0o640,
    )
    rights = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (".env", ".env.bak")]
    assert rights == [0o600, 0o600]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".env", ".env.bak", "dotfiles", "mcp.json",
    ]  # fmt: skip


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        write(tmp_path / "file" / ".env", "A=1\n")


def test_comments_and_last_commas_of_a_client_stay() -> None:
    new = with_server(SETTINGS, "context_servers", "confluence", ENTRY)

    gone = [line for line in SETTINGS.splitlines() if line not in new.splitlines()]
    assert gone == []
    assert '    "confluence": {\n      "command": "uvx",\n' in new
    assert with_server(new, "context_servers", "confluence", ENTRY) == new


def test_what_a_person_added_to_the_entry_stays_when_it_is_written_anew() -> None:
    old = {
        "mcpServers": {
            "confluence": {
                "url": "https://old/mcp",
                "headers": {"Authorization": "Bearer x"},
                "disabled": True,
                "env": {"CHAT_MODEL": "m", "CONFLUENCE_MCP_HOME": "/old"},
            }
        }
    }

    new = json.loads(with_server(json.dumps(old), "mcpServers", "confluence", ENTRY))

    assert new["mcpServers"]["confluence"] == {
        **ENTRY,
        "disabled": True,
        "env": {"CHAT_MODEL": "m"},
    }


@given(documents, st.sampled_from([None, 2, "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_all_else_of_any_json_stays(
    document: dict[str, object], indent: int | str | None, end: str
) -> None:
    text = json.dumps(document, indent=indent).replace("\n", end)
    servers = document.get("mcpServers", {})
    try:
        new = with_server(text, "mcpServers", "confluence", ENTRY)
    except UnsafeEdit:
        assert not isinstance(servers, dict)
        return

    changed, kept = json.loads(new), json.loads(text)
    entry = changed["mcpServers"].pop("confluence")
    kept.setdefault("mcpServers", {}).pop("confluence", None)
    assert (changed, entry["command"]) == (kept, "uvx")
    assert ("\r\n" in new) == ("\r\n" in text) or "\n" not in text


@pytest.mark.parametrize(
    "text",
    ["[]", '{"mcpServers": []}', '{"a": }', "{'a': 1}", '{"a": 1', "null", '{"a": 1} {"b": 2}'],
)
def test_what_is_no_such_file_is_left_alone(text: str) -> None:
    with pytest.raises(UnsafeEdit):
        with_server(text, "mcpServers", "confluence", ENTRY)


@pytest.mark.parametrize(
    ("system", "files"),
    [
        (
            "linux",
            [
                ".config/Claude/claude_desktop_config.json",
                None,
                ".config/Code/User/mcp.json",
                ".cursor/mcp.json",
                ".junie/mcp/mcp.json",
                ".config/zed/settings.json",
            ],
        ),
        (
            "darwin",
            [
                "Library/Application Support/Claude/claude_desktop_config.json",
                None,
                "Library/Application Support/Code/User/mcp.json",
                ".cursor/mcp.json",
                ".junie/mcp/mcp.json",
                ".config/zed/settings.json",
            ],
        ),
        (
            "win32",
            [
                "AppData/Roaming/Claude/claude_desktop_config.json",
                None,
                "AppData/Roaming/Code/User/mcp.json",
                ".cursor/mcp.json",
                ".junie/mcp/mcp.json",
                "AppData/Roaming/Zed/settings.json",
            ],
        ),
    ],
)
def test_each_client_has_its_file_on_each_system(
    system: str, files: list[str | None], tmp_path: Path
) -> None:
    machine = Machine(system, tmp_path, {})

    assert [machine.file_of(client) for client in CLIENTS] == [
        file and tmp_path / file for file in files
    ]


def test_what_windows_packages_and_the_environment_move_is_found(tmp_path: Path) -> None:
    packaged = tmp_path / "AppData/Local/Packages/Claude_x/LocalCache/Roaming/Claude"
    packaged.mkdir(parents=True)
    windows = Machine("win32", tmp_path, {"APPDATA": str(tmp_path / "Roaming")})
    linux = Machine("linux", tmp_path, {"XDG_CONFIG_HOME": str(tmp_path / "conf")})

    assert windows.file_of(CLAUDE_DESKTOP) == packaged / "claude_desktop_config.json"
    assert windows.file_of(ZED) == tmp_path / "Roaming" / "Zed" / "settings.json"
    assert linux.file_of(VSCODE) == tmp_path / "conf" / "Code" / "User" / "mcp.json"
    assert windows.has(CLAUDE_DESKTOP)
    assert not windows.has(ZED)


def test_an_entry_is_shown_agreed_to_and_written(tmp_path: Path) -> None:
    machine = Machine("linux", tmp_path, {})
    file = tmp_path / ".config" / "zed" / "settings.json"
    file.parent.mkdir(parents=True)
    file.write_text(SETTINGS)

    refusing = Person(("Write", "n"))
    enter(refusing, machine, ZED, Wish(INSTALLED))
    untouched = file.read_text()
    agreeing = Person(("Write", "y"))
    enter(agreeing, machine, ZED, Wish(INSTALLED))
    again = Person()
    enter(again, machine, ZED, Wish(INSTALLED))

    assert untouched == SETTINGS
    assert '+    "confluence": {' in agreeing.shown
    assert "s3cret" not in agreeing.shown
    assert file.with_name("settings.json.bak").read_text() == SETTINGS
    assert "has the entry already" in again.shown


def test_what_cannot_be_changed_safely_is_shown_in_place_of_written(tmp_path: Path) -> None:
    machine = Machine("linux", tmp_path, {})
    file = tmp_path / ".cursor" / "mcp.json"
    file.parent.mkdir()
    file.write_text("{ not json")
    person = Person()

    enter(person, machine, CURSOR, Wish(INSTALLED))
    enter(person, machine, CLAUDE_CODE, Wish(INSTALLED))

    assert file.read_text() == "{ not json"
    assert CURSOR.file(INSTALLED) in person.shown
    assert 'claude mcp add-json --scope user confluence \'{"type": "stdio"' in person.shown


def test_a_key_goes_into_files_and_never_to_the_screen(tmp_path: Path) -> None:
    remote = Remote("https://wiki-search.example.com/mcp", "cmk-secret")
    person = Person(("Write", "y"), ("Write", "y"))

    for client in (VSCODE, CLAUDE_DESKTOP):
        enter(person, Machine("linux", tmp_path, {}), client, Wish(remote))
        enter(person, Machine("linux", tmp_path, {}), client, Wish(remote, only_shown=True))

    assert "cmk-secret" in read_text(tmp_path / ".config" / "Code" / "User" / "mcp.json")
    assert "cmk-secret" not in person.shown


@pytest.mark.parametrize("client", [one for one in CLIENTS if one is not CLAUDE_DESKTOP])
def test_a_project_has_files_of_its_own(client: Client, tmp_path: Path) -> None:
    person = Person(("Write", "y"))

    enter(person, Machine("linux", tmp_path / "home", {}), client, Wish(INSTALLED, tmp_path))

    written = [path for path in tmp_path.rglob("*.json") if "home" not in path.parts]
    assert [path.read_text().strip() for path in written] == [client.file(INSTALLED)]


def test_clients_are_chosen_by_number_and_by_name() -> None:
    assert chosen_clients(["6", "cursor", "zed"]) == [ZED, CURSOR]
    assert chosen_clients(["all"]) == list(CLIENTS)
    assert chosen_clients(["none"]) == []
    with pytest.raises(ConfigurationError, match="emacs is no client"):
        chosen_clients(["emacs"])


def test_a_program_that_uv_keeps_for_a_moment_is_started_by_uvx(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uvx = tmp_path / "uvx"
    uvx.write_text("")
    uvx.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", "/home/ada/.cache/uv/archive-v0/x1")
    kept = Launch.of_this_program(tmp_path)
    monkeypatch.setattr(sys, "prefix", "/usr")
    monkeypatch.setattr(sys, "argv", ["/usr/lib/confluence_mcp/__main__.py"])
    module = Launch.of_this_program(tmp_path)

    assert (kept.command, kept.arguments) == (str(uvx), ("confluence-mcp",))
    assert kept.entry()["env"] == {"CONFLUENCE_MCP_HOME": str(tmp_path)}
    assert (module.command, module.arguments) == (sys.executable, ("-m", "confluence_mcp"))


def test_the_entry_of_a_folder_leads_to_its_settings(tmp_path: Path) -> None:
    checkout = Launch("/bin/uv", ("run", "--directory", "/src", "confluence-mcp"), {}, Path("/src"))

    assert checkout.in_folder(Path("/src")) == checkout
    assert INSTALLED.in_folder(tmp_path).entry()["args"] == [
        "confluence-mcp", "--directory", str(tmp_path), "serve",
    ]  # fmt: skip


def test_the_page_on_clients_shows_what_is_written() -> None:
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    shown = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", page, re.M | re.S)]
    local = INSTALLED.in_folder(Path("/home/ada/wiki"))

    for client in (CLAUDE_DESKTOP, VSCODE, ZED):
        assert json.loads(client.file(local)) in shown
    for client, variable in (
        (CURSOR, "${env:CONFLUENCE_MCP_TOKEN}"),
        (VSCODE, "${input:wiki-key}"),
    ):
        remote = json.loads(client.file(Remote(EXAMPLE_REMOTE.url, variable)))
        assert any(remote.items() <= block.items() for block in shown)
    assert len(shown) == 5
