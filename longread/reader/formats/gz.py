"""Gzip around a file of any format.

Knows how to unpack into a private temporary file, and when what comes out is no book.
Knows nothing of what is inside.
"""

from __future__ import annotations

import gzip
import zlib

from longread.errors import InputError
from longread.reader.files import Bytes, Spool
from longread.reader.formats import stream

MAGIC = b"\x1f\x8b"
_ENDING = ".gz"
# Books shrink to a third, seldom to a tenth. What grows a hundredfold was made to fill a disk.
_RATIO, _FREE, _MOST = 100, 1 << 26, 1 << 32


def bare(name: str) -> str:
    """``name`` without ``.gz``."""
    return name[: -len(_ENDING)] if name.lower().endswith(_ENDING) else name


def unpack(data: Bytes) -> Bytes:
    """What ``data`` holds if it is gzipped, else ``data`` itself.

    Raises ``InputError``. ``data`` is closed once it is unpacked.
    """
    if data.read_at(0, 2) != MAGIC:
        return data
    try:
        with gzip.GzipFile(fileobj=stream.reader(data)) as unpacked:
            return Spool(_Checked(unpacked, data), data.name)  # type: ignore[arg-type]
    finally:
        data.close()


def most(packed: int) -> int:
    """The bytes that so many ``packed`` ones of a book unpack to at most."""
    return min(max(_FREE, _RATIO * packed), _MOST)


class _Checked:
    """Reads a gzip stream; damage and absurd growth are the user's to know."""

    def __init__(self, unpacked: gzip.GzipFile, data: Bytes) -> None:
        self._unpacked, self._name, self._packed = unpacked, data.name, data.size
        self._given = 0

    def read(self, count: int) -> bytes:
        try:
            chunk = self._unpacked.read(count)
        except (EOFError, zlib.error, OSError) as error:
            raise InputError(
                f"{self._name} is damaged: its gzip data ends or breaks after {self._given:,} bytes",
                "fetch the file again",
            ) from error
        self._given += len(chunk)
        if self._given > most(self._packed):
            raise InputError(
                f"{self._name} unpacks to over {self._given:,} bytes from {self._packed:,}, as no book does",
                "unpack it yourself and look at what it is",
            )
        return chunk
