"""What is kept of a text while it is read: keys, values and a temporary adapter; how it is recalled."""
