"""What is kept of a text while it is read: keys and values, a temporary adapter."""
