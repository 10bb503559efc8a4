"""The name, logo, colour and welcome that a company gives to the chat."""

from pathlib import Path
from typing import Annotated
from xml.sax.saxutils import escape

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from chat_colours import WRITTEN, shades
from chat_sources import as_plain_text

LOGO_BYTES = 1_000_000
LOGO_KINDS = (".svg", ".png", ".jpg", ".jpeg", ".webp")
ACCENT = "#0b52cc"
WELCOME = "Ask in your own words. Every answer shows the pages that it rests on."


def _checked_logo(path: Path) -> Path:
    if path.suffix.lower() not in LOGO_KINDS or not path.is_file():
        raise ValueError(f"{path} is no file that ends in {', '.join(LOGO_KINDS)}")
    if path.stat().st_size > LOGO_BYTES:
        raise ValueError(f"{path} is larger than {LOGO_BYTES:,} bytes")
    return path


Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x1f\x7f]*$")
]


class Brand(BaseSettings):
    """Read from the environment and from `.env` in the current folder; empty means unset."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    chat_name: Annotated[Line, Field(max_length=40)] = Field(
        default="Confluence", description="Name of the chat page."
    )
    chat_logo: Annotated[Path, AfterValidator(_checked_logo)] | None = Field(
        default=None, description="Logo of the chat page: an SVG, PNG, JPEG or WebP file."
    )
    chat_accent: Annotated[str, StringConstraints(pattern=f"^{WRITTEN.pattern}$")] = Field(
        default=ACCENT,
        description="Colour of links and buttons, such as #0b52cc; its shade is made readable.",
    )
    chat_welcome: Annotated[str, Field(max_length=600)] = Field(
        default=WELCOME, description="Markdown under the name on the first page."
    )

    @property
    def logo_kind(self) -> str:
        """How the name of the logo's file ends."""
        return self.chat_logo.suffix.lower() if self.chat_logo is not None else ".svg"

    @property
    def mark(self) -> str:
        """Address of the logo on the first page."""
        return f"/public/mark{self.logo_kind}"

    @property
    def shown_name(self) -> str:
        """The name as Markdown shows it."""
        return as_plain_text(self.chat_name)

    @property
    def xml_name(self) -> str:
        """The name as XML shows it."""
        return escape(self.chat_name, {'"': "&quot;"})

    def colours(self, *, dark: bool) -> dict[str, str]:
        """The variables of a theme that the accent sets."""
        shade = shades(self.chat_accent, dark=dark)
        return {
            "--primary": shade.colour,
            "--primary-foreground": shade.written_on,
            "--ring": shade.colour,
        }
