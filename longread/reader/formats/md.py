"""Markdown: text whose headings are marked and which may begin with front matter.

Knows the names of Markdown files and front matter in YAML's simplest form, ``key: value``.
The marks stay in the text: they are few, and every place keeps its offset.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from longread.reader import charset, magic
from longread.reader.charset import Charset
from longread.reader.files import Bytes
from longread.reader.formats import txt

NAME = "md"
_ENDINGS = (".md", ".markdown", ".mdown", ".mkd")
# Its first line is a key: a book may as well begin with a line across the page, which is "---" too.
_FRONT = re.compile(
    r"---[ \t]*\n((?=[\"']?[\w.-]{1,60}[\"']?[ \t]*:(?:[ \t]|\n)).*?\n)(?:---|\.\.\.)[ \t]*(?:\n\s*|\Z)", re.S
)
_FIELD = re.compile(r"^(title|author|language|lang)[ \t]*:[ \t]*(\S[^\n]*)$", re.I | re.M)
_LIMIT = 1 << 14


class Text(txt.Text):
    """A ``Source`` of Markdown, its front matter left out."""

    format = NAME
    markdown = True

    def pieces(self) -> Iterator[str]:
        """The text as read, in pieces of about a quarter of a million characters."""
        stream = super().pieces()
        head = ""
        for piece in stream:
            head += piece
            if len(head) >= _LIMIT:
                break
        front = _FRONT.match(head, 0, _LIMIT)
        own: dict[str, str] = {}
        if front:
            for match in _FIELD.finditer(front[1]):
                key = "language" if match[1].lower() == "lang" else match[1].lower()
                own[key] = match[2].strip().strip("\"'")
        yield from (part for part in itertools.chain([head[front.end() if front else 0 :]], stream) if part)
        if front:
            self.left_out += (f"front matter ({front.end():,} characters)",)
            self.fields = self.fields | own


def recognises(name: str, head: bytes) -> bool:
    """By its name; what is in it must be text all the same."""
    return name.endswith(_ENDINGS) and magic.known(head) is None


def open(data: Bytes, encoding: Charset | None = None) -> Text:
    """The text in ``data``; its encoding is detected unless given."""
    return Text(data, encoding or charset.detect(data))
