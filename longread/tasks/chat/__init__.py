"""Chat: a conversation about one book, without a terminal.

``commands`` is what can be typed, ``transcript`` what is kept of it, ``book`` what it is
about, ``workbench`` the model while it is used, ``voice`` how a model is made to chat or
write on, and ``talk`` the conversation itself. Nothing here loads torch before a model is needed.
"""

from __future__ import annotations
