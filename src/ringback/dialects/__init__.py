"""Translations at the edge: each dialect parses markup into verbs and renders calls as its service does."""
