"""The formats that can be read: one a file, one line here each.

Knows how a format is chosen for a file. A format is a module with

``NAME``
    what it is called in the output ("txt");
``recognises(name, head) -> bool``
    whether a file of this name (lower case) that begins with these bytes is of this format;
``open(data, encoding) -> Text``
    the text in it, as a ``Source`` that also knows the format's own facts.
"""

from __future__ import annotations

from types import ModuleType

from longread.reader import magic
from longread.reader.files import Bytes
from longread.reader.formats import md, txt

FORMATS: tuple[ModuleType, ...] = (
    md,
    txt,  # the last: it takes whatever is text
)


def choose(data: Bytes) -> ModuleType:
    """The format of ``data``. Raises ``UnsupportedError`` or ``InputError`` for what is no text."""
    head = data.read_at(0, 512)
    for form in FORMATS:
        if form.recognises(data.name.lower(), head):
            return form
    raise magic.refusal(magic.known(head) or magic.UNKNOWN, data.name)
