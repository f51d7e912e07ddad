"""Records that a reading leaves behind for each of its blocks, appended as it goes.

Knows a block's number and two pieces of bytes a record. Knows nothing of what they say.
They stand beside the saves, which would otherwise be as large as the book: what was
appended after the current save is cut off again when the reading resumes.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from longread.errors import LongreadError
from longread.store import files


class Rows:
    """An append-only table in ``path``, made if it is not there. Use as a context manager.

    ``LongreadError`` from every method: where the disk refuses, or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if not path.exists():
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            # A job's events may be taken by one thread after another, never by two at once.
            self._db = sqlite3.connect(path, check_same_thread=False)
        except OSError as error:
            raise files.unwritable(path, error) from None
        except sqlite3.Error as error:
            raise self._told(error) from None
        try:
            self._db.execute("PRAGMA synchronous = EXTRA")
            self._db.execute("CREATE TABLE IF NOT EXISTS rows (block INTEGER, record BLOB, vector BLOB)")
        except sqlite3.Error as error:
            self._db.close()
            raise self._told(error) from None

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def __len__(self) -> int:
        # Rows come at the end and go from the end, so that the last one's number is how many there are.
        try:
            return self._db.execute("SELECT coalesce(max(rowid), 0) FROM rows").fetchone()[0]
        except sqlite3.Error as error:
            raise self._told(error) from None

    def append(self, rows: Iterable[tuple[int, bytes, bytes]]) -> None:
        """Add (block, record, vector) rows; on the disk when this returns."""
        try:
            with self._db:
                self._db.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
        except sqlite3.Error as error:
            raise self._told(error) from None

    def cut(self, blocks: int) -> None:
        """Drop the rows of all blocks but the first ``blocks``."""
        try:
            with self._db:
                self._db.execute("DELETE FROM rows WHERE block >= ?", (blocks,))
        except sqlite3.Error as error:
            raise self._told(error) from None

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Record and vector of every row, in the order they came."""
        try:
            yield from self._db.execute("SELECT record, vector FROM rows ORDER BY rowid")
        except sqlite3.Error as error:
            raise self._told(error) from None

    def _told(self, error: sqlite3.Error) -> LongreadError:
        return _told(self.path, error)


def copy(before: Path, new: Path) -> None:
    """All rows of the table in ``before`` in one of its own in ``new``; ``LongreadError`` as from ``Rows``.

    By SQLite, not as a file: a killed process may have left half of a change, which is undone on the way.
    """
    with Rows(before) as source, Rows(new) as target:
        try:
            source._db.backup(target._db)
        except sqlite3.Error as error:
            raise _told(new, error) from None


def _told(path: Path, error: sqlite3.Error) -> LongreadError:
    """A disk that is full or closed is one thing, a file that is no table any more another."""
    if isinstance(error, sqlite3.OperationalError):
        kind = errno.ENOSPC if "full" in str(error) else errno.EIO
        return files.unwritable(path, OSError(kind, str(error)))
    return LongreadError(f"{path} is damaged: {error}", "read the text again with --fresh; it is rebuilt")
