"""From what the user typed to an opened document.

Knows the order: find the bytes, choose the format, read once, describe. Each step is a
file of its own.
"""

from __future__ import annotations

from pathlib import Path

from longread.errors import InputError
from longread.reader import charset, contents, formats, language, samples, titles
from longread.reader.document import Document
from longread.reader.files import Bytes, open_bytes
from longread.reader.formats import gz
from longread.reader.outline import MOST
from longread.reader.scan import scan


def open_document(path: str | Path, *, encoding: str | None = None) -> Document:
    """Open a text and read it through once.

    Parameters
    ----------
    path
        A file, ``-`` for standard input, or ``sample:en`` or ``sample:zh`` for a bundled book.
    encoding
        Overrules detection; any name that Python knows.

    Raises
    ------
    InputError
        The file is missing, is no text, or is empty.
    UnsupportedError
        The file is of a kind that cannot be read yet.
    UsageError
        There is no such encoding.
    """
    chosen = charset.named(encoding) if encoding else None
    data = gz.unpack(samples.open_sample(str(path)) if samples.is_sample(path) else open_bytes(path))
    try:
        if not data.size:
            raise _empty(data.name)
        text = formats.open_text(data, chosen)
    except BaseException:
        data.close()
        raise
    try:
        return _describe(data, text)
    except BaseException:
        text.close()
        raise


def _describe(data: Bytes, text: formats.Text) -> Document:
    found = scan(text.pieces(), text.markdown, text.layout)
    if found.blank:
        raise InputError(f"{data.name} holds nothing but white space", "name a file with text in it")
    title, author = titles.find(found.opening, gz.bare(data.name), text.markdown)
    chapters = contents.chapters(text.contents, found.characters)
    notes = text.notes
    if found.capped:
        notes += (f"only the first {MOST:,} headings are told apart",)
    return Document(
        name=data.name,
        title=text.fields.get("title", "") or title,
        author=text.fields.get("author", "") or author,
        language=language.settle(found.language, text.fields.get("language", "")),
        encoding=text.charset.name,
        format=text.format,
        characters=found.characters,
        words=found.words,
        sha256=found.sha256,
        chapters=chapters if len(chapters) > 1 else found.chapters,
        left_out=text.left_out,
        source=text,
        notes=notes,
        layout=found.layout,
    )


def _empty(name: str) -> InputError:
    if name == "-":
        return InputError("nothing came through the pipe", "check the command before it")
    return InputError(f"{name} is empty", "name a file with text in it")
