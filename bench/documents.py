"""What the application of the load answers in each dialect."""

from __future__ import annotations

PLAY = {
    "laml": ("application/xml", "<Response><Play>{url}/prompt.wav</Play></Response>"),
    "callapi": ("application/xml", "<Response><Play>{url}/prompt.wav</Play></Response>"),
    "jambonz": ("application/json", '[{"verb":"play","url":"{url}/prompt.wav"},{"verb":"hangup"}]'),
}
"""A prompt, and the call is over."""
ENDED = frozenset({"completed", "failed", "busy", "no-answer", "canceled"})
"""What it is told of a call that is over."""


def waiting(dialect: str) -> tuple[str, str]:
    """A prompt again and again while keys are waited for, in one of the dialects that speak XML."""
    return (
        "application/xml",
        f'<Response><Gather input="dtmf" timeout="86400" action="{{url}}/{dialect}/voice">'
        '<Play loop="0">{url}/prompt.wav</Play></Gather></Response>',
    )
