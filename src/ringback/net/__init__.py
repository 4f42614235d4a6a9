"""Clock, address guard, resolver and the one HTTP client: what everything else stands on."""
