"""JSON answers and refusals, in the shapes of Confluence Data Center."""

from http import HTTPStatus

from starlette.responses import JSONResponse, Response

Json = dict[str, object]


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers

    def response(self) -> Response:
        """What goes over the wire; who fails to log in gets a page, not JSON."""
        if self.status == HTTPStatus.UNAUTHORIZED:
            page = f"<html><title>{self.message}</title></html>"
            return Response(page, self.status, self.headers, "text/html")
        return JSONResponse(rest_error(self.status, self.message), self.status, self.headers)


def rest_error(status: int, message: str) -> Json:
    """The error body of REST v1."""
    data: Json = {"authorized": False, "valid": True, "errors": [], "successful": False}
    reason = HTTPStatus(status).phrase
    return {"statusCode": status, "data": data, "message": message, "reason": reason}


def bad_request(message: str) -> Refusal:
    """The request itself is wrong."""
    return Refusal(400, message)


def not_found(what: str) -> Refusal:
    """It does not exist, or the caller may not see it: the same answer for both."""
    return Refusal(404, f"No {what}, or it cannot be viewed")


def unauthorized(reason: str = "AUTHENTICATED_FAILED") -> Refusal:
    """User name and password are wrong, or not taken at all."""
    headers = {"WWW-Authenticate": 'OAuth realm="simulated"', "X-Seraph-LoginReason": reason}
    return Refusal(401, "Unauthorized", headers)
