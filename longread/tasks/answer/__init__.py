"""An answer from passages: quoted, or written by a model that is trusted to.

Knows nothing of how passages are found (``memory.recall``) or how a command looks.
"""
