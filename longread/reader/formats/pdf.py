"""PDF: lines of pages made paragraphs again.

Knows how pages, outline and paragraphs come together. The pages are ``pdf_pages``', the
paragraphs ``pdf_layout``'s. A PDF of pictures of pages holds no text, and that is said.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from longread.errors import InputError, UnsupportedError
from longread.reader import magic
from longread.reader.charset import Charset
from longread.reader.files import Bytes
from longread.reader.formats import pdf_pages
from longread.reader.formats.extract import Extract, Text
from longread.reader.formats.pdf_layout import Joiner, Page, Paragraph, bare
from longread.reader.formats.pdf_pages import Bookmark, Line

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

NAME = "pdf"
# The mark on a line of its own, and the comment that is there to make the file look binary.
_BEGINNING = re.compile(rb"%PDF-\d\.\d\s*[\r\n]\s*%[\x80-\xff]{4}")
HEADS, HYPHENS = (
    ("running head or page number", "running heads and page numbers"),
    (
        "hyphen at a line's end",
        "hyphens at line ends",
    ),
)


def recognises(name: str, head: bytes) -> bool:
    """By its mark, before which mailers and scanners may have written something; a text may speak of it."""
    if head.startswith(b"%PDF-"):
        return True
    return b"%PDF-" in head and (
        name.endswith(".pdf") or magic.looks_binary(head) or _BEGINNING.search(head) is not None
    )


def open(data: Bytes, encoding: Charset | None = None) -> Text:
    """The text in ``data``. Raises ``InputError`` for damage, ``UnsupportedError`` for what has no text."""
    with pdf_pages.opened(data) as document, Extract(data, NAME) as out:
        if encoding:
            out.notes.append("--encoding is not used: a PDF says its own")
        for name, stated in pdf_pages.fields(document).items():
            out.field(name, stated)
        state = _Pages(document)
        marks: dict[int, list[Bookmark]] = defaultdict(list)
        for mark in pdf_pages.bookmarks(document):
            marks[mark.page].append(mark)
        places = list(_write(state, marks, out))
        if not out.characters:
            raise state.refusal(data.name)
        if note := state.note():
            out.notes.append(note)
        for mark, start, body in places:
            out.mark(mark.title, mark.depth, start, body)
        return out.text()


class _Pages:
    """Walks the pages once and counts those without text."""

    def __init__(self, document: PdfDocument) -> None:
        self._document = document
        self._count = len(document)
        self._empty = self._damaged = 0

    def __iter__(self) -> Iterator[list[Line]]:
        for number in range(self._count):
            lines = pdf_pages.lines(self._document, number)
            self._damaged += lines is None
            self._empty += lines == []
            yield lines or []

    def note(self) -> str:
        """What the user should know."""
        parts = []
        if self._empty > max(3, 0.05 * self._count):
            parts.append(f"{self._empty:,} of {self._count:,} pages hold no text (blank, or pictures)")
        if self._damaged:
            parts.append(f"{self._damaged:,} of {self._count:,} pages are damaged and missing from the text")
        return "; ".join(parts)

    def refusal(self, name: str) -> InputError:
        """The error for a document of which no page holds text."""
        if self._damaged:
            return InputError(f"{name} is a damaged PDF: no page of it can be read", "fetch the file again")
        return UnsupportedError(
            f"{name} holds pictures of pages and no text",
            "recognise its text first: ocrmypdf scanned.pdf book.pdf",
        )


def _write(
    pages: _Pages, marks: dict[int, list[Bookmark]], out: Extract
) -> Iterator[tuple[Bookmark, int, int]]:
    """Write the paragraphs; yields each entry of the outline with its place."""
    joiner = Joiner()
    waiting: list[Bookmark] = []
    known: dict[int, Bookmark] = {}
    first = -1

    def write(paragraphs: Iterator[Paragraph]) -> Iterator[tuple[Bookmark, int, int]]:
        for paragraph in paragraphs:
            start = out.add(paragraph.text)
            end = max(out.characters - 2, start)
            while waiting and paragraph.page >= waiting[0].page:  # no line of the page says its title
                yield waiting.pop(0), start, start
            if paragraph.heading >= 0:
                yield known.pop(paragraph.heading), start, end

    for page in bare(pages):
        out.left[HEADS] += len(page.furniture)
        headings: dict[int, tuple[int, int]] = {}
        lost: list[Bookmark] = []
        for mark in marks.get(page.number, ()):
            place = _find(page, mark.title, max((last for last, _ in headings.values()), default=-1) + 1)
            if place is None:
                lost.append(mark)
            else:
                first += 1
                known[first] = mark
                headings[place[0]] = (place[1], first)
        waiting.extend(lost)
        yield from write(joiner.page(page, headings))
    yield from write(joiner.close())
    out.left[HYPHENS] += joiner.hyphens


def _find(page: Page, title: str, start: int) -> tuple[int, int] | None:
    """The first and the last line, from line ``start`` on, that ``title`` stands on."""
    wanted = _letters(title)
    for first in range(start, len(page.lines)):
        if first in page.furniture or not wanted:
            continue
        got = ""
        for last in range(first, min(first + 6, len(page.lines))):
            got += _letters(page.lines[last].text)
            if got == wanted:
                return first, last
            if not got or not wanted.startswith(got):
                break
    return None


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
