"""The log, as lines of text or of JSON, on standard error."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import msgspec

from ringback.config.tables import LogSection

_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonLines(logging.Formatter):
    """One object a line: at, level, logger, message, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(entry).decode()


def open_log(settings: LogSection) -> None:
    """Log as configured, from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    for chatty in ("uvicorn", "alembic"):  # starting and stopping is ours to tell
        logging.getLogger(chatty).setLevel(logging.WARNING)
