"""Ringback: the programmable voice server that you run yourself."""
