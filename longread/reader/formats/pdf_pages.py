"""The pages of a PDF as lines of characters with their places.

Knows pdfium, which is asked for characters, boxes and the outline, and nothing else; every
contact with it is here. Knows nothing of paragraphs.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from longread.errors import InputError, UnsupportedError
from longread.reader.files import Bytes
from longread.reader.formats import stream

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

PAGES = 50_000
_CHARACTERS = 1_000_000  # on one page; a dense one has 10,000
_ENTRIES = 20_000
_PASSWORD, _SECURITY = 4, 5  # FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a page. Places are points from the page's left and lower edge, ``size`` its height."""

    text: str
    left: float
    right: float
    base: float
    size: float


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline: the page counts from 0, the depth from 1."""

    title: str
    depth: int
    page: int


@contextmanager
def opened(data: Bytes) -> Iterator[PdfDocument]:
    """The document in ``data``. Raises ``InputError`` for damage, ``UnsupportedError`` for a password."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(stream.reader(data))
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", 0) in (_PASSWORD, _SECURITY):
            raise UnsupportedError(
                f"{data.name} is locked with a password",
                "save a copy without it: qpdf --decrypt locked.pdf open.pdf",
            ) from error
        raise InputError(
            f"{data.name} is a damaged PDF: it cannot be opened",
            "fetch it again, or repair it: qpdf broken.pdf good.pdf",
        ) from error
    try:
        if len(document) > PAGES:
            raise InputError(
                f"{data.name} claims {len(document):,} pages: no book has so many", "name a book"
            )
        yield document
    finally:
        document.close()


def fields(document: PdfDocument) -> dict[str, str]:
    """Title and author as the document states them; what programs put there by themselves is no title."""
    title = _stated(document, "Title")
    endings = (".doc", ".docx", ".pdf", ".indd", ".tex", ".dvi", ".rtf", ".odt", ".qxd", ".txt")
    if title.casefold() in ("untitled", "(anonymous)", "anonymous") or title.casefold().endswith(endings):
        title = ""
    title = title.removeprefix("Microsoft Word - ")
    author = _stated(document, "Author") if title else ""
    return {"title": title, "author": "" if author.casefold() in ("anonymous", "(anonymous)") else author}


def _stated(document: PdfDocument, key: str) -> str:
    """What the document states under ``key``; empty where that is no text, which damages no book."""
    try:
        return document.get_metadata_value(key).strip()
    except UnicodeDecodeError:
        return ""


def bookmarks(document: PdfDocument) -> list[Bookmark]:
    """The outline, in order; empty where there is none or it is damaged."""
    found: list[Bookmark] = []
    try:
        for entry, _ in zip(document.get_toc(), range(_ENTRIES), strict=False):
            target = entry.get_dest()
            page = target.get_index() if target is not None else None
            if page is not None and page < len(document):
                found.append(Bookmark(entry.get_title(), entry.level + 1, page))
    except Exception:  # an outline that cannot be read does not make the book unreadable
        return []
    return found


def lines(document: PdfDocument, page: int) -> list[Line] | None:
    """The lines of a page as pdfium orders them; None where the page is damaged."""
    import pypdfium2

    try:
        sheet = document[page]
    except pypdfium2.PdfiumError:
        return None
    try:
        text = sheet.get_textpage()
    except pypdfium2.PdfiumError:
        sheet.close()
        return None
    try:
        return list(_lines(pypdfium2.raw, text.raw))
    finally:
        text.close()
        sheet.close()


def _lines(pdfium, page) -> Iterator[Line]:
    count = min(pdfium.FPDFText_CountChars(page), _CHARACTERS)
    held: list[str] = []
    first = last = -1
    for index in range(count + 1):
        code = pdfium.FPDFText_GetUnicode(page, index) if index < count else 10
        if code in (10, 13):
            if first >= 0:
                yield _line(pdfium, page, "".join(held).strip(), first, last)
            held, first = [], -1
        elif 0xD800 <= code < 0xE000 or code > 0x10FFFF:
            held.append("\ufffd")
        elif code:
            character = (
                "-" if code in (2, 0xFFFE) else chr(code)
            )  # pdfium's signs for a hyphen at a line's end
            held.append(character)
            if not character.isspace():
                first, last = index if first < 0 else first, index


def _line(pdfium, page, text: str, first: int, last: int) -> Line:
    low, high = _box(pdfium, page, first), _box(pdfium, page, last)
    places = (low.left, high.right, low.bottom, low.top - low.bottom)
    left, right, base, size = (place if math.isfinite(place) else 0.0 for place in places)
    return Line(text, left, right, base, max(size, 1.0))


def _box(pdfium, page, index: int):
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(page, index, ctypes.byref(box))
    return box
