"""An accent colour made readable in both themes, as Chainlit's theme writes colours."""

import colorsys
import re
from dataclasses import dataclass

WRITTEN = re.compile(r"#[0-9a-fA-F]{6}")
READABLE = 4.5  # WCAG 2.2, 1.4.3: text beside its ground
LIGHT_GROUND = (0.95, 0.95, 0.95)  # the darkest that a link stands on in the light theme
DARK_GROUND = (0.26, 0.26, 0.26)  # and the lightest in the dark one
BLACK, WHITE = (0.05, 0.05, 0.05), (1.0, 1.0, 1.0)
STEP = 0.01

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Shades:
    """A colour and what is written on it, both such as `216 90% 42%`."""

    colour: str
    written_on: str


def shades(colour: str, *, dark: bool) -> Shades:
    """The nearest shade of `#rrggbb` that can be read on the ground of a theme."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_parsed(colour))
    ground, step = (DARK_GROUND, STEP) if dark else (LIGHT_GROUND, -STEP)
    shade = colorsys.hls_to_rgb(hue, lightness, saturation)
    while contrast(shade, ground) < READABLE and 0 < lightness + step < 1:
        lightness += step
        shade = colorsys.hls_to_rgb(hue, lightness, saturation)
    text = max(BLACK, WHITE, key=lambda ink: contrast(ink, shade))
    return Shades(_as_hsl(shade), _as_hsl(text))


def contrast(one: Colour, other: Colour) -> float:
    """How well two colours stand out, from 1 to 21, as WCAG 2 measures it."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _parsed(colour: str) -> Colour:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue


def _as_hsl(colour: Colour) -> str:
    hue, lightness, saturation = colorsys.rgb_to_hls(*colour)
    return f"{hue * 360:.0f} {saturation * 100:.0f}% {lightness * 100:.0f}%"
