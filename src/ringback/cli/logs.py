"""The log, as lines of text or of JSON, on standard error."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import msgspec

from ringback.cli.printable import printable
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


class TextLines(logging.Formatter):
    """One line a message, whatever a peer put into it; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's own name)
        return printable(super().formatMessage(record))


def open_log(settings: LogSection) -> None:
    """Log as configured, from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if settings.format == "json" else TextLines())
    logging.basicConfig(level=settings.level.upper(), handlers=[handler], force=True)
    for chatty in ("uvicorn", "alembic"):  # starting and stopping is ours to tell
        logging.getLogger(chatty).setLevel(logging.WARNING)
