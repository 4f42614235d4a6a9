"""How long tests wait for what should come at once."""

PATIENCE = 60.0
"""Seconds: a busy machine takes its time, and only a test that fails waits them out."""
