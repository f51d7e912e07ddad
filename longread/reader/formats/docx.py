"""DOCX: the body of a Word document.

Knows how python-docx opens a package and which parts hold what is read. What the body says
is ``wordml``'s. The whole package is held while it is opened, so its size is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from longread.errors import InputError, UnsupportedError
from longread.reader import magic
from longread.reader.charset import Charset
from longread.reader.files import Bytes
from longread.reader.formats import stream, wordml
from longread.reader.formats.archive import WHOLE, Archive
from longread.reader.formats.extract import Extract, Text

if TYPE_CHECKING:
    from docx.document import Document

NAME = "docx"


def recognises(name: str, head: bytes) -> bool:
    """By its first member, or by its name where that stands elsewhere."""
    return magic.known(head) is magic.DOCX or (head.startswith(b"PK") and name.endswith(".docx"))


def open(data: Bytes, encoding: Charset | None = None) -> Text:
    """The text in ``data``. Raises ``InputError`` for what is damaged or no Word document,
    ``UnsupportedError`` for one that only names others."""
    document = load(data)
    with Extract(data, NAME) as out:
        if encoding:
            out.notes.append("--encoding is not used: a DOCX says its own")
        known, notes = wordml.styles(styles_of(document)), notes_in(note_parts(document))
        title: list[str] = []
        for paragraph in wordml.paragraphs(document.element.body, known, notes, out.left):
            out.add(paragraph.text, paragraph.depth)
            if paragraph.title and len(title) < 3:
                title.append(paragraph.text)
        if not out.characters and out.left[wordml.EMBEDDED]:
            raise UnsupportedError(
                f"{data.name} holds nothing but embedded documents, which longread does not read",
                "open it in a word processor and save it anew, which makes one document of them",
            )
        _fields(document, out, " ".join(title))
        return out.text()


def load(data: Bytes) -> Document:
    """The package in ``data``, opened by python-docx once its sizes and XML were looked at."""
    _check(data)
    import docx

    try:
        document = docx.Document(stream.reader(data))
        if document.element.body is None:
            raise ValueError("a document without a body")
        return document
    except Exception as error:  # whatever the library stumbles over, the file is to blame
        raise InputError(
            f"{data.name} is no Word document, or a damaged one",
            "open it in a word processor and save it anew",
        ) from error


def note_parts(document: Document) -> list[tuple[str, Any, Any]]:
    """The parts that footnotes and endnotes lie in: the kind, the part, and its XML.

    One that cannot be read is left out: it does not make the book unreadable.
    """
    from docx.oxml import parse_xml

    parts = []
    for relation in document.part.rels.values():
        kind = relation.reltype.rpartition("/")[2].removesuffix("s")
        if kind in ("footnote", "endnote") and not relation.is_external:
            with suppress(Exception):
                part = relation.target_part
                parts.append((kind, part, parse_xml(part.blob)))
    return parts


def notes_in(parts: Iterable[tuple[str, Any, Any]]) -> dict[tuple[str, str], Any]:
    """The elements of footnotes and endnotes, by kind and id."""
    notes: dict[tuple[str, str], Any] = {}
    for kind, _, root in parts:
        for node in root:
            if wordml.local(node) == kind and wordml.value(node, "type") in ("", "normal"):
                notes.setdefault((kind, wordml.value(node, "id")), node)
    return notes


def _check(data: Bytes) -> None:
    """Refuse what is too large or declares entities before any library holds it whole."""
    with Archive(data, "DOCX") as archive:
        if archive.sizes() > WHOLE:
            raise archive.absurd(f"{archive.sizes():,} bytes")
        if "[Content_Types].xml" not in archive:
            raise archive.damaged("it says nothing of its parts")
        for member in archive.names():
            if member.endswith((".xml", ".rels")):
                content = archive.read(member)
                if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
                    raise InputError(
                        f"{data.name}: {member[:200]!r} declares entities, which no Word document does",
                        "do not trust this file",
                    )


def styles_of(document: Document) -> list[Any]:
    """The elements of the document's styles."""
    try:
        return list(document.styles.element)
    except Exception:  # a document without styles has no headings, and its text all the same
        return []


def _fields(document: Document, out: Extract, title: str) -> None:
    """Title, author and language; an author without a title is whoever owns the computer."""
    try:
        stated = document.core_properties
        own = {"title": stated.title, "author": stated.author, "language": stated.language}
    except Exception:
        own = {}
    if own.get("title") == "Word Document":  # what python-docx writes where nobody states one
        own = {}
    out.field("title", title or own.get("title"))
    if title or own.get("title"):
        out.field("author", own.get("author"))
    out.field("language", own.get("language"))
