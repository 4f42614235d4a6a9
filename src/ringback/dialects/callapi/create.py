"""A call to be placed: the parameters of `POST …/Calls`, made into a request to the engine."""

from __future__ import annotations

from collections.abc import Iterator

from ringback.calls.control import CallRequest
from ringback.calls.services import Services
from ringback.calls.verbs import MachineDetection, Note
from ringback.dialects.callapi.errors import UNKNOWN_PARAMETER, Refusal, warning
from ringback.dialects.callapi.settings import Settings
from ringback.dialects.callapi.targets import read_caller, read_hook, read_target, required, shown
from ringback.dialects.callapi.webhook import CallApiApplication
from ringback.dialects.http import Parameters, boolean, integer, words
from ringback.dialects.progress import EVENTS
from ringback.routing.directory import Account

_LONGEST_RING = 3600
_PARAMETERS = frozenset(
    {
        "From", "To", "Url", "Method", "FallbackUrl", "FallbackMethod",
        "StatusCallback", "StatusCallbackMethod", "StatusCallbackEvent",
        "Timeout", "DetectVoicemail", "Username", "Password", "ApiVersion",
    }
)  # fmt: skip


def read_request(services: Services, account: Account, parameters: Parameters) -> CallRequest:
    """CallAPI "Making Calls".

    Raises:
        Refusal: 400 with the reason as plain text.
    """
    caller, host = read_caller(parameters)
    target = read_target(parameters)
    required(parameters, "Url")
    detect = boolean(parameters.get("DetectVoicemail")) is True
    settings = Settings(
        voice=read_hook(parameters, "Url", "Method"),
        fallback=read_hook(parameters, "FallbackUrl", "FallbackMethod"),
        status=read_hook(parameters, "StatusCallback", "StatusCallbackMethod"),
        events=_events(parameters),
        detect_voicemail=detect,
    )
    return CallRequest(
        account=account,
        application=CallApiApplication(services, account, settings),
        to=target,
        to_shown=shown(target),
        from_=caller,
        from_host=host,
        ring_timeout=_ring_timeout(parameters),
        detection=MachineDetection() if detect else None,
        notes=tuple(_ignored(parameters)),
    )


def _ignored(parameters: Parameters) -> Iterator[Note]:
    """What nobody reads, said once for each name."""
    for name in dict.fromkeys(name for name, _ in parameters.pairs):
        if name not in _PARAMETERS:
            message = f"{name} is not a parameter of a call, and was ignored."
            if name == "Record":
                message += " Record in the script at Url records the caller, Dial with record both parties."
            yield warning(UNKNOWN_PARAMETER, message, parameter=name)


def _events(parameters: Parameters) -> tuple[str, ...]:
    """Separated by commas; spaces are taken too. None named is `completed`."""
    wanted = [word.lower() for word in words(parameters.all("StatusCallbackEvent"))]
    for word in wanted:
        if word not in EVENTS:
            raise Refusal(400, f"{word} is not a StatusCallbackEvent; expected {', '.join(EVENTS)}.")
    return tuple(word for word in EVENTS if word in wanted) or ("completed",)


def _ring_timeout(parameters: Parameters) -> float:
    text = parameters.get("Timeout").strip()
    if not text:
        return 60.0
    seconds = integer(text, least=1, most=_LONGEST_RING)
    if seconds is None:
        raise Refusal(400, f"Timeout must be a number of seconds from 1 to {_LONGEST_RING}.")
    return float(seconds)
