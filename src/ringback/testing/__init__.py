"""The softphone and the test kit: what tests, the demo and `ringback call` dial with."""
