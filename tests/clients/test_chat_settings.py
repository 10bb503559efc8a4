"""What the chat makes of its variables."""

import pytest
from chat_settings import DEFAULT_MODEL, ChatSettings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.chdir(str(tmp_path))
    for name in ChatSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_without_key_and_endpoint_there_is_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    monkeypatch.setenv("CHAT_MODEL", "some-model")

    assert ChatSettings().model is None


def test_with_a_key_there_is_a_default_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test-key")

    settings = ChatSettings()

    assert settings.model == DEFAULT_MODEL
    assert "test-key" not in repr(settings)


def test_another_endpoint_needs_the_name_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1")
    unnamed = ChatSettings().model
    monkeypatch.setenv("CHAT_MODEL", "qwen3")

    assert unnamed is None
    assert ChatSettings().model == "qwen3"


def test_the_server_of_this_checkout_is_started_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ChatSettings().server_command
    monkeypatch.setenv("CONFLUENCE_MCP_COMMAND", "python 'my server.py'")

    assert command[:3] == ["uv", "run", "--project"]
    assert command[4:] == ["confluence-mcp", "serve"]
    assert ChatSettings().server_command == ["python", "my server.py"]
