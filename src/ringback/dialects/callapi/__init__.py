"""CallAPI and RestComm (RCML): XML markup, form webhooks, REST under `/call/2012-04-24`.

Sources: CallAPI "Incoming Calls", "Making Calls", "Listing Calls", "Modifying Live Calls" and the markup
pages; RestComm-Connect's API and RCML manuals where those are silent.
"""

from ringback.dialects.callapi.dialect import CallApi

__all__ = ["CallApi"]
