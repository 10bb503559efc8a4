"""The log on standard error: lines for a person, or an object of JSON on each for a machine."""

import json
import logging
import math
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType

from opentelemetry import trace

from index.errors import ConfigurationError

logger = logging.getLogger("confluence_mcp")

TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"
CHATTY = ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "mcp", "sse_starlette", "urllib3")

# A placeholder of a log line, with the name before it where it is a fact, such as `pages=%d`.
_PLACEHOLDER = re.compile(
    r"(?:(?<![\w.])(?P<name>[A-Za-z_]\w*)=)?"
    r"%(?:%|(?P<form>[#0\- +]*\d*(?:\.\d+)?[diouxXeEfFgGcrsa]))"
)


def log_to_stderr(level: int, *, verbose: bool) -> None:
    """Has all loggers write to standard error, from `level` on unless LOG_LEVEL is set."""
    from index.settings import LogSettings

    try:
        settings = LogSettings.load()
    except ConfigurationError:  # each command reads its settings, and tells all that is wrong
        settings = LogSettings.model_construct()
    handler = logging.StreamHandler(sys.stderr)
    if settings.log_format == "json":
        handler.setFormatter(JsonFormatter())
        logging.captureWarnings(True)
        sys.excepthook = _log_last_words
    else:
        handler.setFormatter(logging.Formatter(TEXT))
    least = logging.DEBUG if verbose else settings.log_level or level
    logging.basicConfig(level=least, handlers=[handler])
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def tell(text: str, level: int = logging.WARNING) -> None:
    """Says something on standard error: as it is to a person, as part of a log of JSON."""
    if any(isinstance(handler.formatter, JsonFormatter) for handler in logging.root.handlers):
        logger.log(level, "%s", text)
    else:
        print(text, file=sys.stderr)


class JsonFormatter(logging.Formatter):
    """One object for each record: ts, level, logger, message, its facts, trace and exception."""

    def format(self, record: logging.LogRecord) -> str:
        """The object in one line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, object] = {
            "ts": when.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            told["trace_id"] = trace.format_trace_id(context.trace_id)
            told["span_id"] = trace.format_span_id(context.span_id)
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps({**facts(record), **told})


def facts(record: logging.LogRecord) -> Mapping[str, object]:
    """What a line tells as `key=value`, by key; numbers stay numbers."""
    if not isinstance(record.msg, str) or not isinstance(record.args, tuple):
        return {}
    values = iter(record.args)
    found: dict[str, object] = {}
    for match in _PLACEHOLDER.finditer(record.msg):
        if (form := match["form"]) is None:
            continue
        value = next(values, None)
        if match["name"]:
            found[match["name"]] = _fact(form, value)
    return found


def _fact(form: str, value: object) -> object:
    match value:
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return float(f"%{form}" % value) if form[-1] in "eEfFgG" else value
        case _:
            return f"%{form}" % (value,)


def _log_last_words(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    logger.critical("ended by an error", exc_info=(kind, error, traceback))
