"""The one connection that writes: kept from commit to commit, made anew after an outage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError


class WritingConnection:
    """Opened by the first transaction; of one thread.

    What is in bulk goes past SQLAlchemy, to a cursor of the driver's: errors may come from either.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._driver = engine.dialect.loaded_dbapi
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction for the block, committed at its end, or nothing of it."""
        connection = self._connection
        if connection is None:
            connection = self._connection = self.engine.connect()
        try:
            with connection.begin():
                yield connection
        except Exception as error:
            if self.is_outage(error):  # which may be the connection's own
                connection.invalidate()
                self.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def is_outage(self, error: Exception) -> bool:
        """Whether the database as a whole cannot be written: disk full, connection lost, file damaged."""
        driver = self._driver
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, driver.IntegrityError | driver.DataError):
            return False
        if isinstance(cause, driver.OperationalError | driver.InterfaceError):
            return True
        # Damaged or foreign files are reported as plain DatabaseError; its other children are our mistakes.
        return type(cause) is driver.DatabaseError or isinstance(cause, OSError)
