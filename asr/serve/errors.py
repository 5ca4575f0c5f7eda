"""Errors in the shape of OpenAI's interface."""

from starlette.responses import JSONResponse

TYPES = {401: "authentication_error", 429: "rate_limit_error"}
"""Status -> type of the error; others below 500 are invalid requests, from 500 on server errors."""


class ApiError(Exception):
    """A request that is refused, or failed."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code

    def body(self) -> dict[str, object]:
        """The object that clients receive."""
        kind = TYPES.get(self.status, "server_error" if self.status >= 500 else "invalid_request_error")
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> JSONResponse:
        """The answer; a client that is to try again learns when."""
        headers = {"Retry-After": "2"} if self.status in (429, 503) else {}
        if self.status in (408, 413):
            headers["Connection"] = "close"  # the rest of the upload is not read
        return JSONResponse(self.body(), self.status, headers)
