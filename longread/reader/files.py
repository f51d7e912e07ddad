"""Bytes at rest: a file on disk, or a pipe kept in a private temporary file.

Knows how to find, open and refuse paths, and how to read bytes at a place again and
again. Knows nothing of what the bytes mean.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, Protocol

from longread.errors import InputError

CHUNK = 1 << 18
# A disk without room, a user's share of it that is used up, a limit on the size of files.
FULL = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG") if hasattr(errno, name))


class Bytes(Protocol):
    """A sequence of bytes that can be read from any place, as often as needed."""

    name: str
    size: int

    def read_at(self, offset: int, count: int) -> bytes:
        """At most ``count`` bytes from ``offset`` on; fewer only at the end."""

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """All bytes from ``start`` on, in chunks of bounded size."""

    def handle(self) -> AbstractContextManager[BinaryIO]:
        """An open file of the system's with these bytes, to be given to another process."""

    def close(self) -> None:
        """Give back what is held; a spooled pipe is gone afterwards."""


class DiskFile:
    """A regular file. Raises ``InputError`` when it changes between two readings."""

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        self.name = name or str(path)
        try:
            state = path.stat()
        except FileNotFoundError:
            raise InputError(f"there is no file {self.name}", _near(path)) from None
        except OSError as error:
            raise _unreadable(self.name, error) from None
        except ValueError:  # a NUL in the path
            raise InputError(f"{self.name!r} is not a path") from None
        _refuse_special(self.name, path, state.st_mode)
        self.size = state.st_size
        self._stamp = (state.st_size, state.st_mtime_ns)
        with self._open():
            pass

    def _open(self) -> BinaryIO:
        try:
            handle = open(self.path, "rb")  # noqa: SIM115 - the caller closes it
        except OSError as error:
            raise _unreadable(self.name, error) from None
        state = os.fstat(handle.fileno())
        if (state.st_size, state.st_mtime_ns) != self._stamp:
            handle.close()
            raise InputError(f"{self.name} changed while it was being read", "run the command again")
        return handle

    def read_at(self, offset: int, count: int) -> bytes:
        with self._open() as handle:
            handle.seek(offset)
            return handle.read(count)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        with self._open() as handle:
            handle.seek(start)
            try:
                while chunk := handle.read(CHUNK):
                    yield chunk
            except OSError as error:
                raise _unreadable(self.name, error) from None

    def handle(self) -> AbstractContextManager[BinaryIO]:
        return self._open()

    def close(self) -> None:
        """Nothing to give back: the file is opened for each reading and closed after it."""


class Spool:
    """A pipe, kept whole in a temporary file that only its owner may read and that has no name."""

    def __init__(self, pipe: BinaryIO, name: str = "-") -> None:
        self.name = name
        import shutil
        import tempfile

        self._lock = threading.Lock()
        self._file = tempfile.TemporaryFile(prefix="longread-")  # noqa: SIM115 - closed by close()
        try:
            shutil.copyfileobj(pipe, self._file, CHUNK)
            self.size = self._file.tell()
        except OSError as error:
            self._file.close()
            raise unkept("the pipe", error) from None
        except BaseException:
            self._file.close()
            raise

    def read_at(self, offset: int, count: int) -> bytes:
        with self._lock:  # several readings may be under way, each at its own place
            self._file.seek(offset)
            return self._file.read(count)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        while chunk := self.read_at(start, CHUNK):
            yield chunk
            start += len(chunk)

    def handle(self) -> AbstractContextManager[BinaryIO]:
        self._file.seek(0)  # what is buffered is written first
        return nullcontext(self._file)

    def close(self) -> None:
        self._file.close()


def open_bytes(path: str | Path) -> Bytes:
    """The bytes behind ``path``; ``-`` is standard input. Raises ``InputError``."""
    if str(path) == "-":
        stdin = sys.stdin
        if stdin is None:
            raise InputError("there is no standard input to read", "name a file")
        return Spool(getattr(stdin, "buffer", stdin))
    name = str(path)
    if name.startswith("~") and not os.path.lexists(name):  # a shell that leaves it, or Python
        return DiskFile(Path(os.path.expanduser(name)), name)
    return DiskFile(Path(path))


def _refuse_special(name: str, path: Path, mode: int) -> None:
    """A directory, device, pipe or socket is not a text; each is told apart."""
    if stat.S_ISDIR(mode):
        folder = name.rstrip("/\\") or name
        kinds = ("txt", "md", "epub", "html", "docx", "pdf")
        found = next((kind for kind in kinds if any(path.glob(f"*.{kind}"))), "txt")
        hint = f"name the files in it, {shlex.quote(folder)}/*.{found}, or one of them"
        raise InputError(f"{name} is a folder, not a file", hint)
    if stat.S_ISFIFO(mode):
        raise InputError(
            f"{name} is a pipe, not a file",
            f"read it as standard input: longread … - < {name}",
        )
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise InputError(
            f"{name} is a device, not a file",
            "name a text file, or - for standard input",
        )
    if not stat.S_ISREG(mode):
        raise InputError(
            f"{name} is not a regular file",
            "name a text file, or - for standard input",
        )


def no_room() -> InputError:
    """The error where a temporary file has no room."""
    return InputError("no room for temporary files", "make room, or set TMPDIR to another folder")


def unkept(what: str, error: OSError) -> InputError:
    """The error where ``what`` cannot be written to a temporary file."""
    full = error.errno in FULL
    return no_room() if full else InputError(f"{what} cannot be kept: {error.strerror or error}")


def _unreadable(name: str, error: OSError) -> InputError:
    if isinstance(error, PermissionError):
        return InputError(
            f"{name} may not be read: permission denied",
            "give yourself the right to read it",
        )
    return InputError(f"{name} cannot be read: {error.strerror or error}")


def _near(path: Path) -> str:
    """A hint with names in the same folder that look like the missing one."""
    import difflib

    folder = path.parent
    try:
        names = [entry.name for entry, _ in zip(os.scandir(folder), range(5000), strict=False)]
    except OSError:
        return f"there is no folder {folder} either"
    lower = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(path.name.casefold(), lower, n=3, cutoff=0.6)
    if not near:  # the right name with another ending
        near = [name for name in lower if name.rpartition(".")[0] == path.name.casefold()][:3]
    if not near:
        return "check the spelling of the path"
    return "did you mean " + " or ".join(str(folder / lower[name]) for name in near) + "?"
