"""The formats that a translation can be written in: one a file, one line here each.

Knows which writer belongs to which ending. A writer is a module with

``BINARY``
    whether it writes bytes;
``write(translation, layout) -> Iterator[str] | Iterator[bytes]``
    the whole file in pieces, valid as it stands whatever share of the text is translated;
    ``layout`` is "target" or "bilingual". What puts paragraphs back into their source returns,
    at the end, a ``place.Count``: how many of them have no place there, and what is left behind.

A writer decides nothing by what stands in the text: names, markup and paths in it are words.
"""

from __future__ import annotations

import importlib
from pathlib import PurePath
from types import ModuleType

from longread.errors import UnsupportedError

# ending -> module; imported when first asked for.
WRITERS = {
    "txt": "longread.tasks.translate.outputs.txt",
    "md": "longread.tasks.translate.outputs.md",
    "tsv": "longread.tasks.translate.outputs.tsv",
    "tmx": "longread.tasks.translate.outputs.tmx",
    "epub": "longread.tasks.translate.outputs.epub",
    "html": "longread.tasks.translate.outputs.html",
    "docx": "longread.tasks.translate.outputs.docx",
}
_OTHER = {"text": "txt", "markdown": "md", "htm": "html", "xhtml": "html"}
LAYOUTS = ("target", "bilingual")
MARK = "[untranslated] "  # before what was left in the source language


def kind_of(path: str, source: str = "txt") -> str:
    """The format of the file at ``path`` by its ending; without one the ``source``'s own, or txt.

    ``UnsupportedError`` for an ending that there is no writer for.
    """
    ending = PurePath(path).suffix.lower().lstrip(".")
    kind = _OTHER.get(ending, ending)
    if kind in WRITERS:
        return kind
    if ending:
        raise UnsupportedError(
            f"{path}: a translation cannot be written as .{ending}",
            f"name a file that ends in {', '.join('.' + name for name in WRITERS)}",
        )
    return source if source in WRITERS else "txt"


def writer(kind: str) -> ModuleType:
    """The writer of format ``kind``; KeyError for one that is not listed."""
    return importlib.import_module(WRITERS[kind])
