"""Texts of any length, from a file or a pipe, streamed.

``open_document`` gives a ``Document``; its ``text``, ``passages`` and ``chapters`` are the way
in, ``longread.reader.blocks`` the way to a model. Knows no model and no torch.
"""

from __future__ import annotations

from longread.reader.document import Block, Chapter, Document, Passage, Source
from longread.reader.open import open_document

__all__ = ["Block", "Chapter", "Document", "Passage", "Source", "open_document"]
