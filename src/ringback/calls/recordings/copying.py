"""The application's own copy of a recording: the file, sent where its plan says."""

from __future__ import annotations

from pathlib import Path

from ringback.calls.recordings.recording import Recording
from ringback.calls.recordings.storage import StorageError
from ringback.net.http import HttpFailure, HttpLimits, HttpPool

_LIMITS = HttpLimits(total_timeout=600.0, read_timeout=60.0)


class CopySender:
    """Sends by POST or PUT, to addresses that webhooks may go to, too."""

    def __init__(self, http: HttpPool) -> None:
        self._http = http

    async def __call__(self, recording: Recording, path: Path) -> None:
        """Send the WAV file. Raises StorageError unless the answer is 2xx, OSError for a file not there."""
        hook = recording.plan.upload
        assert hook is not None
        auth = (hook.username, hook.password or "") if hook.username is not None else None
        try:
            status = await self._http.upload(
                hook.method, hook.url, path, content_type="audio/x-wav", limits=_LIMITS, auth=auth
            )
        except HttpFailure as failure:
            raise StorageError(failure.message) from failure
        if not 200 <= status < 300:
            raise StorageError(f"the answer was {status}")
