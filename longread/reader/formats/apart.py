"""A parser in a process of its own.

Knows how to give it a file and take the text back, and how much time and memory it may use.
What reads EPUB, HTML, DOCX and PDF is partly written in C and can be made to hang, to crash or
to fill the memory by a file that was built for it; here that is one error, and Ctrl-C ends it.
Knows nothing of any format.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from longread.errors import InputError, LongreadError, UnsupportedError
from longread.reader.charset import Charset
from longread.reader.files import CHUNK, FULL, Bytes, no_room
from longread.reader.formats.extract import Text

SECONDS, PER_MEGABYTE = 120.0, 4.0
MEMORY = 3 << 30
_NO_ROOM = 3  # the exit code of a child that finds none for its text; Python's own are 1 and 2
_ERRORS = {kind.__name__: kind for kind in (InputError, UnsupportedError)}
_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from longread.reader.formats import apart
apart.child()
"""
_LENGTH = 16  # digits at the very end: how long the JSON before them is


def extract(form: str, data: Bytes, encoding: Charset | None, seconds: float | None = None) -> Text:
    """What ``form.open(data, encoding)`` gives, read in a child.

    Raises what it raises, and ``InputError`` where it is not done after ``seconds`` or dies.
    """
    seconds = seconds or SECONDS + PER_MEGABYTE * data.size / 1e6
    wish = {"form": form, "name": data.name, "encoding": encoding and vars(encoding), "seconds": seconds}
    command = [sys.executable, "-I", "-X", "utf8", "-c", _CODE, json.dumps(sys.path), json.dumps(wish)]
    try:
        file = tempfile.TemporaryFile(prefix="longread-")  # noqa: SIM115 - closed by Text.close
    except OSError:  # no folder that can be written to
        raise no_room() from None
    try:
        with data.handle() as source:
            code = _run(command, source, file, seconds)
        if code == _NO_ROOM:
            raise no_room()
        found = _answer(file) if code == 0 else None
        if found is None:
            how = f"is not done after {seconds:,.0f} s" if code is None else "breaks off"
            raise InputError(
                f"{data.name} cannot be read: the {form} parser {how}",
                "the file is damaged or made to do harm; convert it to text by other means",
            )
        if "error" in found:
            raise _ERRORS.get(found["error"], InputError)(found["message"], found["hint"])
        return Text.restored(data, file, found)
    except BaseException:
        file.close()
        raise


def _run(command: list[str], source: BinaryIO, target: BinaryIO, seconds: float) -> int | None:
    """The child's exit code; None when it had to be ended."""
    with subprocess.Popen(command, stdin=source, stdout=target, stderr=subprocess.DEVNULL) as child:
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            child.kill()


def _answer(file: BinaryIO) -> dict[str, Any] | None:
    """What the child says about the text before it; it is cut off the file."""
    try:
        end = file.seek(-_LENGTH, os.SEEK_END)
        length = int(file.read())
        file.seek(end - length)
        found = json.loads(file.read(length))
        file.truncate(end - length)
    except (OSError, ValueError):
        return None
    return found


def child() -> None:
    """The whole of the child: read the file on standard input, write its text to standard output."""
    try:
        _read_and_write()
    except OSError as error:
        if error.errno in FULL:
            os._exit(_NO_ROOM)
        raise


def _read_and_write() -> None:
    wish = json.loads(sys.argv[2])
    _limit(wish["seconds"])
    encoding = wish["encoding"]
    module = importlib.import_module(f"longread.reader.formats.{wish['form']}")
    out = sys.stdout.buffer
    try:
        text = module.open(_Given(wish["name"]), Charset(**encoding) if encoding else None)
        for chunk in text.raw():
            out.write(chunk)
        said = text.state()
    except LongreadError as error:
        kind = next((base.__name__ for base in type(error).__mro__ if base.__name__ in _ERRORS), "InputError")
        said = {"error": kind, "message": error.message, "hint": error.hint}
    answer = json.dumps(said).encode()
    out.write(answer + f"{len(answer):0{_LENGTH}}".encode())
    out.flush()
    os._exit(0)  # taking a large tree apart takes time and may overflow the stack


def _limit(seconds: float) -> None:
    """Bound memory and processor time where the system can; the parent bounds the time in any case."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, int(seconds) + 10)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, resource.getrlimit(what)[1]))


class _Given:
    """``Bytes`` on standard input, which is a file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._file = sys.stdin.buffer
        self.size = self._file.seek(0, os.SEEK_END)

    def read_at(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(count)

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        while chunk := self.read_at(start, CHUNK):
            yield chunk
            start += len(chunk)

    def close(self) -> None:
        pass
