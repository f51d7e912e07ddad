"""Tables of text with tabs, as people write them by hand or save them from a spreadsheet.

Knows lines, tabs, byte-order marks, headings, and how a spreadsheet wraps a field in quotation
marks. Knows nothing of what the columns mean.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from longread.errors import InputError

_MOST = 64 << 20  # bytes
_WRAPPED = re.compile(r'"((?:[^"]|"")*)"')


def rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The number and the fields of each line of ``path`` that is not blank.

    A first line that names all of ``columns`` says where they stand; without one they are
    the first ones, in that order. ``InputError`` for a file that cannot be read, and for a
    line with too few fields.
    """
    places: dict[str, int] = {}
    text, spreadsheet = _text(path)
    for number, line in enumerate(text.split("\n"), start=1):
        fields = [_unwrapped(field, spreadsheet) for field in line.rstrip("\r").split("\t")]
        if not line.strip():
            continue
        if not places:
            names = [field.strip().lower() for field in fields]
            if set(columns) <= set(names):
                places = {name: at for at, name in enumerate(names)}
                continue
            places = {name: at for at, name in enumerate(columns)}
        if len(fields) <= max(places[name] for name in columns):
            raise InputError(
                f"{path}, line {number} has {len(fields)} of {len(columns)} fields",
                f"write {' and '.join(columns)} with a tab between",
            )
        yield number, {name: fields[at] for name, at in places.items() if at < len(fields)}


def field(text: str) -> str:
    """``text`` as it can stand in a table: no tab, no line break."""
    return " ".join(text.split())


def _unwrapped(text: str, spreadsheet: bool) -> str:
    """A field without the quotation marks that a ``spreadsheet`` has put around it, or any program that
    doubles those inside; others are the sentence's own."""
    wrapped = _WRAPPED.fullmatch(text)
    if wrapped is None or not (spreadsheet or '""' in wrapped[1]):
        return text
    return wrapped[1].replace('""', '"')


def _text(path: Path) -> tuple[str, bool]:
    """What the file holds, and whether a spreadsheet must have written it."""
    path = Path(os.path.expanduser(path))
    try:
        if path.is_file() and path.stat().st_size > _MOST:
            raise InputError(f"{path} is too large for a table", "give a file of pairs, not a book")
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check the name") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # how spreadsheets save "Unicode text"
        return data.decode("utf-16", "replace"), True
    try:
        return data.decode("utf-8-sig"), False
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line} is not UTF-8", "save the table as UTF-8") from None
