"""What can be played, turned into frames once: fetched, spoken, decoded, cached."""
