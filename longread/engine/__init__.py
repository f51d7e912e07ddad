"""The block loop, and the generation of tokens."""
