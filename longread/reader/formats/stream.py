"""``Bytes`` as the file object that libraries for containers ask for.

Knows reading and seeking. Knows nothing of formats.
"""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from longread.reader.files import Bytes


class _Raw(io.RawIOBase):
    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = (0, self._at, self._data.size)[whence]
        if base + offset < 0:
            raise OSError("a place before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        chunk = self._data.read_at(self._at, len(buffer))
        buffer[: len(chunk)] = chunk
        self._at += len(chunk)
        return len(chunk)


def reader(data: Bytes) -> BinaryIO:
    """``data`` to read and seek in; closing it leaves ``data`` open."""
    return cast(BinaryIO, io.BufferedReader(_Raw(data), 1 << 16))
