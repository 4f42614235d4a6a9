"""Registering with somebody else's registrar (RFC 3261 section 10), and staying registered."""

from __future__ import annotations

from ringback.sip.message import Response
from ringback.sip.pending import Pending


class Registration:
    """One binding at one registrar, refreshed before it ends."""

    registered: bool
    expires: int
    """Seconds granted by the registrar at the last success."""
    response: Response | None
    """The last final response."""
    first: Pending[Response]
    """Resolves with the first final response."""

    def unregister(self) -> Pending[Response]:
        """Removes the binding and stops."""
        raise NotImplementedError
