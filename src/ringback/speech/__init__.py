"""Text to audio: one small protocol, one file per provider, and the facade that chooses between them."""
