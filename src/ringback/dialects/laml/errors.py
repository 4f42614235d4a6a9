"""REST errors as each service sends them: a code of its dictionary, words, and an HTTP status."""

from __future__ import annotations

from typing import Any

from ringback.calls.control import (
    CallerNotOwned,
    CallIsLive,
    CallIsOver,
    ControlError,
    LimitReached,
    NoSuchCall,
    Overloaded,
    Unroutable,
    WrongState,
)
from ringback.calls.recordings.control import NoSuchRecording, RecordingIsLive
from ringback.dialects.http import BadBody
from ringback.dialects.laml.profiles import TWILIO, Profile

_TWILIO_DICTIONARY = "https://www.twilio.com/docs/errors/"
_SIGNALWIRE_DICTIONARY = "https://signalwire.com/docs/rest/compatibility-api/error-codes"


class ApiError(Exception):
    """A request that is refused."""

    def __init__(self, code: int, message: str, status: int = 400, *, allow: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.allow = allow
        """Of 405: the methods that the path has."""


def not_found(path: str) -> ApiError:
    """No such resource, or another account's."""
    return ApiError(20404, f"The requested resource {path} was not found", 404)


def unauthenticated(profile: Profile) -> ApiError:
    """Missing or wrong credentials, or credentials for another account."""
    return ApiError(20003, "Authenticate" if profile is TWILIO else "Authentication failed", 401)


def bad_method(method: str, allow: str) -> ApiError:
    """The path is there, the method is not."""
    return ApiError(20004, f"Method not allowed: {method}; this resource has {allow}", 405, allow=allow)


def invalid(name: str, expected: str, given: str, code: int = 20422) -> ApiError:
    """A parameter with a wrong value."""
    return ApiError(code, f"Invalid {name}: expected {expected}, got {given[:100]!r}")


def not_built(what: str, code: int = 20422) -> ApiError:
    """Something the services have and this version does not."""
    return ApiError(code, f"{what} is not supported by this version")


def of_body(problem: BadBody) -> ApiError:
    """A body that cannot be read."""
    code = {413: 20413}.get(problem.status, 20422)
    return ApiError(code, problem.message, problem.status)


def of_control(error: ControlError, profile: Profile, path: str) -> ApiError:
    """A call or a recording that does not allow what was asked."""
    if isinstance(error, NoSuchCall | NoSuchRecording):
        return not_found(path)
    if isinstance(error, RecordingIsLive):
        return ApiError(20009, "Cannot delete this recording before it is complete", 409)
    if isinstance(error, CallIsLive):
        return ApiError(20009, "Cannot delete this call before it is complete", 409)
    if isinstance(error, CallIsOver):
        if profile is TWILIO:
            return ApiError(21220, "Call is not in-progress. Cannot redirect.")
        return ApiError(10000, "The call has ended and cannot be changed")
    if isinstance(error, WrongState):
        return ApiError(21220, f"Call is not in-progress: {error.message}")
    if isinstance(error, Unroutable):
        return ApiError(21214, f"The 'To' number cannot be reached: {error.message}")
    if isinstance(error, CallerNotOwned):
        return ApiError(21210, f"The 'From' number is not one of this account: {error.message}")
    if isinstance(error, LimitReached):
        if profile is TWILIO:
            return ApiError(10004, f"Call concurrency limit exceeded: {error.message}", 429)
        return ApiError(21611, f"Too many calls: {error.message}")
    if isinstance(error, Overloaded):
        return ApiError(20503, f"Service unavailable: {error.message}", 503)
    return ApiError(20500, error.message, 500)


def error_body(error: ApiError, profile: Profile, *, creating_call: bool = False) -> dict[str, Any]:
    """The JSON of an error. SignalWire lists what is wrong with a call to be created."""
    if profile is TWILIO:
        return _single(error, f"{_TWILIO_DICTIONARY}{error.code}")
    if creating_call and error.status == 400:
        item = {"code": str(error.code), "message": error.message, "more_info": _SIGNALWIRE_DICTIONARY}
        return {"errors": [item]}
    return _single(error, _SIGNALWIRE_DICTIONARY)


def _single(error: ApiError, more_info: str) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "more_info": more_info, "status": error.status}
