"""Recordings of calls, from the first sample to their removal.

A recording is a value (`recording`). `recorder` makes those of one live call; `archive` finishes and keeps
them: as files in a `folder`, in an object `storage`, sent to the application (`copying`), in other forms
(`renditions`). `stored` is how REST sees them all, as `control` says.
"""
