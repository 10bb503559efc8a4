"""Numbers of a sheet as people see them: dates, times, percentages."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self

from ingest.attachments.package import child, whole
from ingest.body.names import Element

NumberKind = Literal["number", "percent", "date", "time", "datetime", "duration"]

_BUILT_IN: dict[int, NumberKind] = {
    **dict.fromkeys((9, 10), "percent"),
    **dict.fromkeys((14, 15, 16, 17, *range(27, 32), 36, *range(50, 59)), "date"),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35, 45, 47), "time"),
    22: "datetime",
    46: "duration",
}
# Literal text, escaped characters, colours and conditions of a format mean nothing here.
_NOISE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
_DURATION = re.compile(r"\[[hms]+\]", re.IGNORECASE)
_EPOCH = datetime(1899, 12, 30)
_EPOCH_1904 = datetime(1904, 1, 1)
_LAST_DAY = 2_958_466
# The calendar of old spreadsheets has a 29 February 1900.
_FALSE_LEAP_DAY = 60


@dataclass(frozen=True, slots=True)
class Formats:
    """What the cell styles of a workbook make of numbers, by the number of the style."""

    kinds: Sequence[NumberKind]
    since_1904: bool

    @classmethod
    def of(cls, styles: Element | None, *, since_1904: bool) -> Self:
        """The formats of a part with styles."""
        if styles is None:
            return cls((), since_1904)
        codes = {
            whole(element.get("numFmtId")): element.get("formatCode", "")
            for element in styles.iter("{*}numFmt")
        }
        uses = child(styles, "cellXfs")
        numbers = () if uses is None else (whole(use.get("numFmtId")) for use in uses)
        return cls(tuple(_kind(number, codes.get(number)) for number in numbers), since_1904)

    def shown(self, raw: str, style: int) -> str:
        """A stored number as text; what is no number stays as it is."""
        try:
            number = float(raw)
        except ValueError:
            return raw
        kind = self.kinds[style] if style < len(self.kinds) else "number"
        match kind:
            case "number":
                return _digits(raw, number)
            case "percent":
                return f"{round(number * 100, 10):.15g}%"
            case "duration":
                return _duration(number)
            case _:
                return self._moment(number, kind) or _digits(raw, number)

    def _moment(self, number: float, kind: NumberKind) -> str | None:
        if not 0 <= number < _LAST_DAY:
            return None
        epoch = _EPOCH_1904 if self.since_1904 else _EPOCH
        days = number if self.since_1904 or number >= _FALSE_LEAP_DAY else number + 1
        moment = epoch + timedelta(seconds=round(days * 86_400))
        clock = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
        if kind == "time" and number < 1:
            return clock
        date = f"{moment.year:04}-{moment:%m-%d}"
        return date if kind == "date" else f"{date} {clock}"


def _kind(number: int, code: str | None) -> NumberKind:
    if code is None:
        return _BUILT_IN.get(number, "number")
    positive = _NOISE.sub("", code.partition(";")[0])
    if _DURATION.search(positive):
        return "duration"
    if "%" in positive:
        return "percent"
    letters = positive.lower().replace("general", "").replace("am/pm", "h")
    has_date = any(letter in letters for letter in "yd")
    has_time = any(letter in letters for letter in "hs")
    if has_date and has_time:
        return "datetime"
    # Months and minutes share a letter; minutes never stand alone.
    return "date" if has_date else "time" if has_time else "date" if "m" in letters else "number"


def _digits(raw: str, number: float) -> str:
    """Up to 15 digits, as spreadsheets show; longer whole numbers stay as they are written."""
    if number.is_integer() and abs(number) < 1e15:
        return str(int(number))
    text = f"{number:.15g}"
    return raw.strip() if "e" in text else text


def _duration(number: float) -> str:
    if abs(number) > _LAST_DAY:
        return str(number)
    minutes, seconds = divmod(round(abs(number) * 86_400), 60)
    sign = "-" if number < 0 else ""
    return f"{sign}{minutes // 60}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
