"""Text taken out of a file that is not text, kept in a private temporary file.

Knows paragraphs and where they stand, the headings that a file itself names, and what of a
file is no text. Knows nothing of any format: each writes its paragraphs here once, and the
text is then streamed like that of a plain file.
"""

from __future__ import annotations

import codecs
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, BinaryIO

from longread.errors import InputError
from longread.reader import gutenberg
from longread.reader.charset import Charset
from longread.reader.document import Mark
from longread.reader.files import CHUNK, Bytes, unkept

LONGEST = 1 << 29  # characters; the longest novels have 20 million
_UTF8 = Charset("utf-8", "utf-8")
_UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f\u00ad\u200b\u2060\ufeff\ufffe\uffff]+")
_SPACES = re.compile("[ \t\u00a0]{2,}|[\t\u00a0]")
_MARKS = 100_000


def plain(text: str) -> str:
    """``text`` as a paragraph is written: single spaces, no blank lines, nothing unseen."""
    if not text.isprintable():
        text = _UNSEEN.sub("", text.replace("\t", " "))
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


class Extract:
    """Where a format writes what it finds. Use as a context manager: an error gives all back.

    ``left`` counts what is left out, by its name in the singular and the plural
    (``("image", "images")``). ``fields`` are title, author and language as the file states
    them, ``notes`` what the user should know.
    """

    def __init__(self, data: Bytes, form: str) -> None:
        self.data = data
        self.form = form
        self.characters = 0
        self.marks: list[Mark] = []
        self.fields: dict[str, str] = {}
        self.left: Counter[tuple[str, str]] = Counter()
        self.notes: list[str] = []
        self._file = tempfile.TemporaryFile(prefix="longread-")  # noqa: SIM115 - closed by Text.close

    def __enter__(self) -> Extract:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        if kind is not None:
            self._file.close()

    def add(self, text: str, depth: int = 0) -> int:
        """Write a paragraph, made ``plain``; its first character's offset.

        ``depth`` makes it a heading: 1 is the highest. What is blank is not written.
        """
        text = plain(text)
        start = self.characters
        if not text:
            return start
        if start + len(text) > LONGEST:
            raise InputError(
                f"{self.data.name} holds over {LONGEST:,} characters", "name a book, or a part of it"
            )
        try:
            self._file.write(text.encode("utf-8", "replace") + b"\n\n")
        except OSError as error:
            raise unkept(f"the text of {self.data.name}", error) from None
        self.characters += len(text) + 2
        if depth:
            self.mark(text, depth, start, start + len(text))
        return start

    def mark(self, title: str, depth: int, start: int, body: int = -1) -> None:
        """Name a heading; ``body`` is where its text begins, when that is known."""
        title = " ".join(title.split())
        if title and len(self.marks) < _MARKS:
            self.marks.append(Mark(title[:1000], depth, start, max(start, body)))

    def field(self, name: str, value: str | None) -> None:
        """State ``name`` (title, author, language) unless it is blank or was stated before."""
        value = " ".join(plain(value or "").split())
        if value and len(value) <= 1000:
            self.fields.setdefault(name, value)

    def text(self, charset: Charset = _UTF8) -> Text:
        """The ``Source`` of what was written. Raises ``InputError`` where that is nothing."""
        if not self.characters:
            raise InputError(f"{self.data.name} holds no text", "name a file with text in it")
        left = tuple(f"{n:,} {one if n == 1 else many}" for (one, many), n in self.left.items() if n)
        return Text(
            self.data,
            self.form,
            charset,
            self._file,
            self.characters,
            self.marks,
            self.fields,
            left,
            self.notes,
        )


class Text:
    """A ``Source`` of extracted text: paragraphs of one line, blank lines between them.

    After a whole pass ``contents`` holds the file's own headings, with offsets in the text
    as ``pieces`` gives it.
    """

    markdown = False
    layout = "wrapped"

    def __init__(
        self,
        data: Bytes,
        form: str,
        charset: Charset,
        file: BinaryIO,
        characters: int,
        marks: Sequence[Mark],
        fields: Mapping[str, str],
        left: Sequence[str],
        notes: Sequence[str],
    ) -> None:
        self.data = data
        self.format = form
        self.charset = charset
        self.left_out: tuple[str, ...] = ()
        self.notes = tuple(notes)
        self.fields = dict(fields)
        self.contents: tuple[Mark, ...] = ()
        self._file, self._characters = file, characters
        self._marks, self._stated, self._left = tuple(marks), dict(fields), tuple(left)

    def state(self) -> dict[str, Any]:
        """All but the text itself, as JSON has it."""
        return {
            "form": self.format,
            "charset": vars(self.charset),
            "characters": self._characters,
            "marks": [[mark.title, mark.depth, mark.start, mark.body] for mark in self._marks],
            "fields": self._stated,
            "left": self._left,
            "notes": self.notes,
        }

    @classmethod
    def restored(cls, data: Bytes, file: BinaryIO, state: dict[str, Any]) -> Text:
        """The text in ``file`` with the ``state`` that another process gave."""
        charset, marks = Charset(**state.pop("charset")), [Mark(*mark) for mark in state.pop("marks")]
        return cls(data, charset=charset, file=file, marks=marks, **state)

    def pieces(self) -> Iterator[str]:
        """The text as read, in pieces of about a quarter of a million characters."""
        boilerplate = gutenberg.Boilerplate()
        yield from gutenberg.strip(self._decoded(), boilerplate)
        self.left_out = boilerplate.words() + self._left
        self.fields = self._stated | boilerplate.fields
        self.contents = self._moved(boilerplate)

    def raw(self) -> Iterator[bytes]:
        """The text in UTF-8 with whatever boilerplate is in it."""
        at = 0
        while True:  # several readings may be under way, each at its own place
            self._file.seek(at)
            chunk = self._file.read(CHUNK)
            if not chunk:
                return
            at += len(chunk)
            yield chunk

    def _decoded(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")()
        yield from filter(None, map(decoder.decode, self.raw()))

    def _moved(self, boilerplate: gutenberg.Boilerplate) -> tuple[Mark, ...]:
        """The marks where they stand without the boilerplate; none where some stood in the middle."""
        if boilerplate.between:
            return ()
        before = boilerplate.header + boilerplate.credits
        end = self._characters - boilerplate.footer
        return tuple(
            Mark(mark.title, mark.depth, mark.start - before, mark.body - before)
            for mark in self._marks
            if before <= mark.start < end
        )

    def close(self) -> None:
        """Give the temporary file back, and the bytes."""
        self._file.close()
        self.data.close()
