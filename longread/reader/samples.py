"""The books that come with the program: ``sample:en`` and its like.

Knows which file of the package each name stands for. Knows nothing of what is in it.
"""

from __future__ import annotations

from pathlib import Path

from longread.errors import InputError
from longread.reader.files import Bytes, DiskFile, Spool

PREFIX = "sample:"
BOOKS = {"en": "the_mud_book.txt", "zh": "the_piano_zh.txt"}


def is_sample(path: str | Path) -> bool:
    """Whether ``path`` names a bundled book. A ``Path`` never does: it is a place on the disk."""
    return isinstance(path, str) and path.startswith(PREFIX)


def open_sample(name: str) -> Bytes:
    """The bytes of the bundled book ``sample:CODE``. Raises ``InputError``."""
    import importlib.resources

    file = BOOKS.get(name.removeprefix(PREFIX).casefold())
    if file is None:
        have = ", ".join(PREFIX + code for code in BOOKS)
        raise InputError(f"there is no bundled book {name}", f"there is {have}")
    resource = importlib.resources.files("longread").joinpath("samples", file)
    if isinstance(resource, Path):
        return DiskFile(resource, name)
    with resource.open("rb") as stream:  # the package lies in an archive
        return Spool(stream, name)
