"""Asking applications what to do, and telling them what happened."""
