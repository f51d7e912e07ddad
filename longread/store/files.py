"""Writing so that a power cut leaves the old or the new, and nobody else can look.

Knows files and folders. Knows nothing of what is in them.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from longread.errors import OutputError

_WHY = {
    errno.ENOSPC: ("the disk is full", "make room, or use --no-save to keep nothing on disk"),
    errno.EDQUOT: ("your share of the disk is full", "make room, or use --no-save to keep nothing on disk"),
    errno.EROFS: ("it is on a read-only disk", "set LONGREAD_HOME to another folder, or use --no-save"),
    errno.EACCES: ("this user may not", "set LONGREAD_HOME to another folder, or use --no-save"),
    errno.EPERM: ("this user may not", "set LONGREAD_HOME to another folder, or use --no-save"),
    errno.ENOLCK: ("its disk has no locks", "set LONGREAD_HOME to another folder, or use --no-save"),
    errno.ENOSYS: ("its disk has no locks", "set LONGREAD_HOME to another folder, or use --no-save"),
}

_TRIES = 20 if os.name == "nt" else 1


def unwritable(path: Path, error: OSError) -> OutputError:
    """The error that says why ``path`` could not be written and what to do."""
    why, hint = _WHY.get(
        error.errno or 0,
        (error.strerror or str(error), "set LONGREAD_HOME to another folder, or use --no-save"),
    )
    return OutputError(f"{path} cannot be written: {why}", hint)


def undeletable(path: Path, error: OSError) -> OutputError:
    """The error that says why ``path`` could not be deleted."""
    return OutputError(
        f"{path} cannot be deleted: {error.strerror or error}",
        "see who may write in the folder that it is in",
    )


def read(path: Path, most: int = 1 << 26) -> bytes:
    """What is in the file at ``path``. OSError for a link, a pipe, and a file of more than ``most`` bytes."""
    # A pipe would wait for a writer; opened without waiting, it is seen for what it is.
    flags = (
        os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    with open(os.open(path, flags), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no ordinary file")
        if found.st_size > most:
            raise OSError(errno.EFBIG, f"it has {found.st_size:,} bytes")
        return file.read()


def write(path: Path, data: bytes) -> None:
    """``data`` in ``path``, whole or not at all: written beside it, synced, renamed."""
    spare = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        write_new(spare, data)
        move(spare, path)
        sync_folder(path.parent)
    except OSError:
        spare.unlink(missing_ok=True)
        raise


def move(path: Path, place: Path) -> None:
    """``os.replace``, with patience where the system has a scanner or an indexer that opens what is new."""
    for left in reversed(range(_TRIES)):
        try:
            return os.replace(path, place)
        except PermissionError:
            if not left:
                raise
        time.sleep(0.1)


def write_new(path: Path, data: bytes) -> None:
    """``data`` in a new file of this user's alone, on the disk when this returns."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable, where the system can: Windows and some network disks cannot."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_tree(folder: Path) -> None:
    """Delete a folder and what is in it; a link is deleted, never followed."""
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            remove_tree(Path(entry.path))
        else:
            os.unlink(entry.path)
    os.rmdir(folder)


def size(folder: Path) -> int:
    """Bytes of the files in ``folder``, links not followed."""
    total = 0
    try:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                total += size(Path(entry.path))
            else:
                found = entry.stat(follow_symlinks=False)
                total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    except OSError:
        pass
    return total


def append(path: Path, data: bytes) -> None:
    """``data`` at the end of a file of this user's alone, whole or not at all, and on the disk when this
    returns; a link is not followed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, flags, 0o600)
    try:
        before = os.fstat(handle).st_size
        if os.write(handle, data) < len(data):  # the disk is full: half a line would spoil the next
            os.ftruncate(handle, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, patience: float = 0) -> Iterator[None]:
    """No other process is in here with the same ``path`` meanwhile.

    ``BlockingIOError`` where one still is after ``patience`` seconds, ``OSError`` where no lock can be had.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=patience, mode=0o600, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise BlockingIOError(errno.EAGAIN, "another process holds it") from None
    except NotImplementedError as error:  # filelock before its version 4, of a disk without locks
        raise OSError(errno.ENOLCK, str(error)) from error
    try:
        yield
    finally:
        lock.release()
