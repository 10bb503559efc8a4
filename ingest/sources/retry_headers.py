"""What a site's answer says about when to ask again."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx


def is_overload(response: httpx.Response) -> bool:
    """Whether the same request may succeed later: 429 or a server error."""
    return response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.is_server_error


def is_near_limit(response: httpx.Response) -> bool:
    """Whether less than a fifth of a quota is left."""
    return response.headers.get("x-ratelimit-nearlimit", "").strip().lower() == "true"


def seconds_to_wait(response: httpx.Response) -> float | None:
    """How long nothing is to be asked; None when the answer does not say, or it is over.

    Retry-After, a number or a date. Where a quota is used up everything is refused until it is
    filled again, so that an earlier Retry-After is no use.
    """
    now = _http_date(response.headers.get("date", "")) or datetime.now(UTC)
    seconds = max(_retry_after(response, now), _quota_reset(response, now))
    return seconds if seconds > 0 else None


def _retry_after(response: httpx.Response, now: datetime) -> float:
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return float(text)
    then = _http_date(text)
    return (then - now).total_seconds() if then else 0.0


def _quota_reset(response: httpx.Response, now: datetime) -> float:
    is_quota = "quota" in response.headers.get("ratelimit-reason", "").lower()
    if response.status_code != HTTPStatus.TOO_MANY_REQUESTS or not is_quota:
        return 0.0
    try:
        then = datetime.fromisoformat(response.headers.get("x-ratelimit-reset", "").strip())
    except ValueError:
        return 0.0
    return (then.replace(tzinfo=then.tzinfo or UTC) - now).total_seconds()


def _http_date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
