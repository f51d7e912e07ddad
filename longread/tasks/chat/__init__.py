"""Chat: a conversation about one book, without a terminal.

``commands`` is what can be typed, ``transcript`` what is kept of it, ``workbench`` the
model while it is used, ``voice`` how a model that can chat or write on is made to, and
``talk`` the conversation itself. Nothing here loads torch before a model is needed.
"""

from __future__ import annotations
