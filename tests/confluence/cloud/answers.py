"""JSON answers and refusals, in the shapes of Confluence Cloud."""

from starlette.responses import JSONResponse

Json = dict[str, object]

V2_CODES = {400: "INVALID_REQUEST_PARAMETER", 403: "FORBIDDEN", 404: "NOT_FOUND"}
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    410: "Gone",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, body: Json, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"refused with status {status}")
        self.status = status
        self.body = body
        self.headers = headers

    def response(self) -> JSONResponse:
        """What goes over the wire."""
        return JSONResponse(self.body, self.status, self.headers)


def v2_error(status: int, title: str | None = None) -> Json:
    """The error body of REST v2."""
    code = V2_CODES.get(status, TITLES.get(status, "Error").upper().replace(" ", "_"))
    shown = title or TITLES.get(status, "Error")
    return {"errors": [{"status": status, "code": code, "title": shown, "detail": None}]}


def v1_error(status: int, message: str) -> Json:
    """The error body of REST v1."""
    data: Json = {"authorized": False, "valid": True, "errors": [], "successful": False}
    return {"statusCode": status, "data": data, "message": message}


def bad_request(title: str) -> Refusal:
    """The request itself is wrong."""
    return Refusal(400, v2_error(400, title))


def not_found() -> Refusal:
    """It does not exist, or the caller may not see it: the same answer for both."""
    return Refusal(404, v2_error(404))


def v1_refusal(status: int, message: str) -> Refusal:
    """A refusal by REST v1."""
    return Refusal(status, v1_error(status, message))


def unauthorized(message: str = "Unauthorized") -> Refusal:
    """The credentials are missing, wrong or too narrow, as the edge in front of the API says it."""
    realm = {"WWW-Authenticate": 'OAuth realm="https%3A%2F%2Fsimulated.atlassian.net"'}
    return Refusal(401, {"code": 401, "message": message}, realm)


def gone() -> Refusal:
    """The endpoint was removed from Confluence Cloud."""
    message = "GoneException: This deprecated endpoint has been removed."
    return Refusal(410, v1_error(410, message))
