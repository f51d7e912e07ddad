"""Plain text, with the boilerplate of its libraries left out.

Knows how bytes become the text as read: decoded, line ends made ``\\n``, Project Gutenberg's
and Aozora Bunko's additions left out. Knows nothing of chapters.
"""

from __future__ import annotations

from collections.abc import Iterator

from longread.reader import aozora, charset, gutenberg, magic
from longread.reader.charset import Charset
from longread.reader.decode import Damage, decode
from longread.reader.document import Mark
from longread.reader.files import Bytes

NAME = "txt"
MARKDOWN = False


class Text:
    """A ``Source``: text in bytes of some encoding, streamed anew by each call of ``pieces``.

    ``charset`` is the encoding. After a whole pass ``left_out`` and ``notes`` say in words
    what was left out and what could not be decoded, and ``fields`` holds title, author and
    language where the file states them.
    """

    format = NAME
    markdown = MARKDOWN
    layout = ""
    contents: tuple[Mark, ...] = ()

    def __init__(self, data: Bytes, chosen: Charset) -> None:
        self.data = data
        self.charset = chosen
        self.left_out: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.fields: dict[str, str] = {}

    def pieces(self) -> Iterator[str]:
        """The text as read, in pieces of about a quarter of a million characters."""
        damage, boilerplate, annotations = (
            Damage(),
            gutenberg.Boilerplate(),
            aozora.Annotations(),
        )
        text = decode(self.data, self.charset, damage)
        yield from aozora.strip(gutenberg.strip(text, boilerplate), annotations)
        damage.check(self.data.name, self.charset)
        note = damage.note(self.charset)
        self.left_out = boilerplate.words() + annotations.words()
        self.notes = (note,) if note else ()
        self.fields = boilerplate.fields

    def close(self) -> None:
        """Give the bytes back; a pipe's are gone."""
        self.data.close()


def recognises(name: str, head: bytes) -> bool:
    """Whatever does not begin like a known kind of binary file is tried as text."""
    return magic.known(head) is None


def open(data: Bytes, encoding: Charset | None = None) -> Text:
    """The text in ``data``; its encoding is detected unless given."""
    return Text(data, encoding or charset.detect(data))
