"""SIP: messages, session descriptions, authentication, transactions, dialogs.

asyncio appears in transport and endpoint only.
"""
