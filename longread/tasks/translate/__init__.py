"""``translate``: a text in another language, sentence by sentence, its names the same throughout."""
