"""The call engine: one `Call`, one set of verbs, one stream of events, one status.

Nothing in this package knows that dialects exist; a dialect meets it through
`ringback.calls.application` (what an application is asked and answers), `ringback.calls.control` and
`ringback.calls.recordings.control` (what may be done to calls and recordings from outside).
"""
