"""The media plane: RTP, DTMF, speech detection and playout in worker processes of their own."""
