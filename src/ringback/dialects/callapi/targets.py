"""`From`, `To` and `Url` of a call to be placed: what is wrong with them refuses the request."""

from __future__ import annotations

from ringback.calls.verbs import Hook, Target
from ringback.dialects.callapi.addresses import BadAddress, one_line, read_address, read_caller_id
from ringback.dialects.callapi.errors import Refusal
from ringback.dialects.callapi.fields import user_part
from ringback.dialects.http import Parameters
from ringback.net.url import BadUrl, target


def required(parameters: Parameters, name: str) -> str:
    """A parameter that must be there, trimmed."""
    value = parameters.get(name).strip()
    if not value:
        raise Refusal(400, f"{name} can not be null.")
    return value


def read_target(parameters: Parameters) -> Target:
    """`To`, with the credentials that its far end may ask for."""
    to = required(parameters, "To")
    try:
        return read_address(
            "To",
            to,
            one_line("Username", parameters.get("Username")),
            one_line("Password", parameters.get("Password")),
        )
    except BadAddress as problem:
        raise Refusal(400, str(problem)) from None


def shown(target: Target) -> str:
    """What the record shows: the user part, or the number as it was given."""
    return target.address if target.kind == "number" else user_part(target.address)


def read_caller(parameters: Parameters) -> tuple[str, str | None]:
    """`From`: the number or user, and the host where a SIP URI was given."""
    try:
        return read_caller_id("From", required(parameters, "From"))
    except BadAddress as problem:
        raise Refusal(400, str(problem)) from None


def read_hook(parameters: Parameters, name: str, method_name: str) -> Hook | None:
    """A URL with its method; None when it is not given."""
    url = parameters.get(name).strip()
    method = parameters.get(method_name, "POST").strip().upper() or "POST"
    if method not in ("GET", "POST"):
        raise Refusal(400, f"{method_name} must be GET or POST.")
    if not url:
        return None
    try:
        target(url)
    except BadUrl as problem:
        raise Refusal(400, f"{name} is not a valid URL: {problem}") from None
    return Hook(url=url, method=method)
