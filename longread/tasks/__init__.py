"""A user's wish as a generator of events: summarize, read, score, plan."""
