"""What goes wrong, in this service's words: documents, hooks, and REST requests."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from ringback.calls.verbs import Note

# The codes are those of the service's alerts; an alert is what its operator gets to see.
INVALID_PAYLOAD = "invalid-app-payload"
WEBHOOK_FAILURE = "webhook-failure"
WEBHOOK_CONNECTION = "webhook-connection-failure"


NO_STT = "no-stt"
FROM_APPLICATION = "alert-from-application"
NOT_SUPPORTED = "not-supported"


class InvalidApplication(ValueError):
    """A document that breaks the rules; the message is the service's."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class HookFailed(Exception):
    """An application that was asked gave no usable answer. `code` is an alert type."""

    def __init__(self, code: str, message: str, *, url: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.url = url
        self.status = status

    def note(self, **detail: Any) -> Note:
        """The failure as the call's time line keeps it."""
        known = {"url": self.url, "status": self.status, **detail}
        return Note(
            level="error",
            code=self.code,
            message=self.message,
            detail={name: value for name, value in known.items() if value not in (None, "")},
        )


class ApiError(Exception):
    """A REST request that is answered with an error. `message` None: the bare reason phrase as text."""

    def __init__(self, status: int, message: str | None = None) -> None:
        super().__init__(message or str(status))
        self.status = status
        self.message = message


_PHRASES = {401: "Unauthorized", 404: "Not Found", 405: "Method Not Allowed", 500: "Internal Server Error"}


def response_to(error: ApiError) -> Response:
    """`{"msg": …}`, or the plain phrase where the service has no body of its own."""
    if error.message is None:
        # RFC 9110 section 15.5.2: a 401 says how to do better.
        headers = {"WWW-Authenticate": 'Bearer realm="Ringback API"'} if error.status == 401 else None
        return PlainTextResponse(_PHRASES.get(error.status, "Error"), error.status, headers)
    return JSONResponse({"msg": error.message}, status_code=error.status)
