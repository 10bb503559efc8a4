"""Rate limiting as its administrators turn it on: so many requests for each user, then a pause."""

from starlette.responses import Response

from tests.confluence.datacenter.answers import Refusal

SECONDS = 7


class Allowances:
    """Counts requests by user. Refusing fills an allowance up again, as waiting would."""

    def __init__(self, allowance: int) -> None:
        self._allowance = allowance
        self._left: dict[str, int] = {}

    def take(self, user_id: str) -> None:
        """Counts a request, or refuses it."""
        left = self._left.get(user_id, self._allowance)
        self._left[user_id] = self._allowance if left == 0 else left - 1
        if left == 0:
            headers = {**self._headers(0), "retry-after": str(SECONDS)}
            raise Refusal(429, "Rate limit exceeded", headers)

    def tell(self, user_id: str, response: Response) -> Response:
        """The response with the headers that say how much is left."""
        response.headers.update(self._headers(self._left.get(user_id, self._allowance)))
        return response

    def _headers(self, left: int) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self._allowance),
            "X-RateLimit-Remaining": str(left),
            "X-RateLimit-Interval-Seconds": str(SECONDS),
            "X-RateLimit-FillRate": str(self._allowance),
        }
