"""The formats that can be read: one a file, one line here each.

Knows how a format is chosen for a file. A format is a module with

``NAME``
    what it is called in the output ("txt");
``recognises(name, head) -> bool``
    whether a file of this name (lower case) that begins with these bytes is of this format;
``open(data, encoding) -> Text``
    the text in it, as a ``Source`` that also knows the format's own facts.

``txt`` streams the file itself; formats that are no text write theirs to an ``Extract`` first.
"""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

from longread.reader import magic
from longread.reader.charset import Charset
from longread.reader.document import Mark, Source
from longread.reader.files import Bytes
from longread.reader.formats import apart, docx, epub, gz, html, md, pdf, txt


class Text(Source, Protocol):
    """What a format gives. All but the first four are complete after a whole pass of ``pieces``.

    ``layout`` is "wrapped" where blank lines part the paragraphs, empty where that is to be
    found out. ``fields`` are title, author and language as the file states them, ``contents``
    its own headings, ``left_out`` and ``notes`` as in ``Document``.
    """

    charset: Charset
    format: str
    markdown: bool
    layout: str
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    fields: dict[str, str]
    contents: tuple[Mark, ...]


FORMATS: tuple[ModuleType, ...] = (
    epub,
    docx,
    pdf,
    html,
    md,
    txt,  # the last: it takes whatever is text
)


APART = (epub, docx, pdf, html)  # those whose parsers may hang or crash


def open_text(data: Bytes, encoding: Charset | None = None) -> Text:
    """The text in ``data``, in whatever format. Raises ``UnsupportedError`` or ``InputError``."""
    form = choose(data)
    return apart.extract(form.NAME, data, encoding) if form in APART else form.open(data, encoding)


def choose(data: Bytes) -> ModuleType:
    """The format of ``data``. Raises ``UnsupportedError`` or ``InputError`` for what is no text."""
    head = data.read_at(0, 512)
    for form in FORMATS:
        if form.recognises(gz.bare(data.name.lower()), head):
            return form
    raise magic.refusal(magic.known(head) or magic.UNKNOWN, data.name)
