"""SignalWire LaML and Twilio TwiML: one dialect in two profiles."""
