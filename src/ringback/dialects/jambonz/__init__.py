"""jambonz: JSON verbs over HTTP and WebSocket, live call control over REST and the application's socket."""

from ringback.dialects.jambonz.dialect import Jambonz

__all__ = ["Jambonz"]
