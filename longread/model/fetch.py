"""One file from the hub to the disk: resumed where it was cut, verified before it counts.

Knows HTTP ranges and the two kinds of digest by which the hub names a file: SHA-256 for
large ones, git's SHA-1 for the rest. Knows no model. huggingface_hub's own download
throws away what a cut connection left and compares sizes only; hence this one, over its
session and with its headers.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from longread.errors import ModelError
from longread.model import faults
from longread.model.cached import PARTIAL

# Seconds to wait before each new try; a try that brought something starts them anew.
PAUSES: tuple[float, ...] = (1, 3, 9)
LONGEST_WAIT = 30.0  # a server that asks for more is reported instead
_PIECE = 1 << 20

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Blob:
    """A file of a repository. ``digest`` is hex: SHA-256 where ``large``, else git's SHA-1 of a blob."""

    name: str
    size: int
    digest: str
    large: bool

    def hasher(self) -> Any:
        """A hash that ends in ``digest`` once it was fed the whole file."""
        return hashlib.sha256() if self.large else hashlib.sha1(f"blob {self.size}\0".encode())


def patiently(work: Callable[[], Answer]) -> Answer:
    """What ``work`` returns, tried again after faults that may pass."""
    pauses = iter(PAUSES)
    while True:
        try:
            return work()
        except Exception as error:
            wait(error, pauses)


def wait(error: Exception, pauses: Iterator[float]) -> None:
    """Wait before the next try, or raise ``error`` where there is none."""
    pause = next(pauses, None) if faults.passing(error) else None
    asked = faults.retry_after(error)
    if pause is None or (asked or 0) > LONGEST_WAIT:
        raise error
    time.sleep(asked if asked is not None else pause)


def fetch(blob: Blob, folder: Path, url: str, headers: dict[str, str], timeout: float) -> Iterator[int]:
    """Bring ``blob`` into ``folder`` under its digest; yields the bytes that are there as they come.

    What is already there and sound is not fetched again, a part of it is gone on with. Raises what the
    HTTP client raises once patience is spent, and ``ModelError`` for a file with another
    content than the hub names; that one is deleted.
    """
    whole, partial = folder / blob.digest, folder / (blob.digest + PARTIAL)
    if _sound(whole, blob):
        yield blob.size
        return
    with open(os.open(partial, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
        digest = blob.hasher()
        have = _taken_up(file, digest, blob.size)
        yield have
        pauses = iter(PAUSES)
        while have != blob.size:
            before = have
            try:
                for start, piece in _pieces(blob, url, headers, have, timeout):
                    if start != have:  # the server began anew
                        digest, have = blob.hasher(), start
                        file.seek(start)
                        file.truncate()
                    file.write(piece)
                    digest.update(piece)
                    have += len(piece)
                    if have > blob.size:
                        break
                    yield have
                if have < blob.size:
                    raise ConnectionError("the server stopped early")
            except Exception as error:
                if have > before:
                    pauses = iter(PAUSES)
                wait(error, pauses)
            if have > blob.size:
                break
        file.flush()
        os.fsync(file.fileno())
    if have != blob.size or digest.hexdigest() != blob.digest:
        partial.unlink()
        raise _damaged(blob)
    os.replace(partial, whole)


def _sound(whole: Path, blob: Blob) -> bool:
    """Whether the file is there with the content that its name promises: a disk may have spoilt it since."""
    if not whole.is_file() or whole.stat().st_size != blob.size:
        return False
    digest = blob.hasher()
    with open(whole, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest() == blob.digest


def _taken_up(file: Any, digest: Any, most: int) -> int:
    """Feed ``digest`` what a former try left in ``file``; its bytes, 0 where they are more than ``most``."""
    left = os.fstat(file.fileno()).st_size
    if left > most:
        file.truncate(0)
        left = 0
    have = 0
    while have < left and (piece := file.read(min(_PIECE, left - have))):
        digest.update(piece)
        have += len(piece)
    return have


def _damaged(blob: Blob) -> ModelError:
    return ModelError(f"{blob.name} arrived damaged: its content is not what the hub names", "pull again")


def _pieces(
    blob: Blob, url: str, headers: dict[str, str], have: int, timeout: float
) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of the file from ``have`` on, or from 0 where the server cannot go on."""
    from huggingface_hub.utils import get_session, hf_raise_for_status

    asked = headers | {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with get_session().stream("GET", url, headers=asked, timeout=timeout, follow_redirects=True) as response:
        hf_raise_for_status(response)
        at = have if response.status_code == 206 else 0
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and at + int(length) != blob.size:  # a portal's page, or another file
            raise _damaged(blob)
        for piece in response.iter_raw():
            yield at, piece
            at += len(piece)
