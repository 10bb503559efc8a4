"""The company's name, logo, colour and welcome."""

import colorsys
import json
from pathlib import Path

import chat_home
import pytest
from chat_brand import Brand
from chat_colours import DARK_GROUND, LIGHT_GROUND, READABLE, contrast, shades
from pydantic import ValidationError


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Brand.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHAT_NAME", "x" * 41),
        ("CHAT_NAME", "two\nlines"),
        ("CHAT_ACCENT", "red"),
        ("CHAT_ACCENT", "#12345"),
        ("CHAT_ACCENT", "#123456;--x:url(https://x.invalid)"),
        ("CHAT_LOGO", "missing.svg"),
        ("CHAT_LOGO", "notes.txt"),
        ("CHAT_LOGO", "huge.png"),
        ("CHAT_WELCOME", "x" * 601),
    ],
)
def test_a_brand_that_cannot_be_shown_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "huge.png").write_bytes(bytes(1_000_001))
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError, match=name.lower()):
        Brand()


@pytest.mark.parametrize("colour", ["#0b52cc", "#ffff00", "#000000", "#ffffff", "#e60000"])
@pytest.mark.parametrize("dark", [False, True])
def test_any_accent_becomes_readable_in_both_themes(colour: str, *, dark: bool) -> None:
    shade = shades(colour, dark=dark)

    ground = DARK_GROUND if dark else LIGHT_GROUND
    assert contrast(_rgb(shade.colour), ground) >= READABLE - 0.1
    assert contrast(_rgb(shade.colour), _rgb(shade.written_on)) >= READABLE - 0.1


def test_a_name_is_text_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_NAME", '<b>"Wiki" & co</b> *one*')

    brand = Brand()

    assert brand.xml_name == "&lt;b&gt;&quot;Wiki&quot; &amp; co&lt;/b&gt; *one*"
    assert brand.shown_name == '\\<b\\>"Wiki" & co\\</b\\> \\*one\\*'


def test_a_logo_takes_the_place_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "Ours.PNG").write_bytes(b"\x89PNG")
    monkeypatch.setenv("CHAT_LOGO", "Ours.PNG")
    monkeypatch.setenv("CHAT_ACCENT", "#ffff00")
    public = tmp_path / "public"
    public.mkdir()
    for file in (chat_home.FILES / "public").iterdir():
        (public / file.name).write_bytes(file.read_bytes())

    chat_home.dress(public, Brand())

    pictures = {file.name for file in public.iterdir() if file.suffix in (".svg", ".png")}
    assert pictures == {"favicon.png", "logo_light.png", "logo_dark.png", "mark.png"}
    theme = json.loads((public / "theme.json").read_text())["variables"]
    assert theme["light"]["--primary"] != theme["dark"]["--primary"]


def _rgb(hsl: str) -> tuple[float, float, float]:
    hue, saturation, lightness = (float(part.rstrip("%")) for part in hsl.split())
    return colorsys.hls_to_rgb(hue / 360, lightness / 100, saturation / 100)
