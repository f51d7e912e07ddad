"""The two streams of the program: stdout for the answer, stderr for everything else.

Knows encodings, colours, widths, and what happens when the other end of a pipe goes
away. Knows nothing of what is written. Only this package writes to either stream.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...errors import OutputError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

_WINDOWS = os.name == "nt"


def prepare() -> None:
    """stdout in UTF-8 whatever the locale; a stream that the caller closed becomes the null device."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
    _reconfigure(sys.stdout, encoding="utf-8", errors="replace")
    _reconfigure(sys.stderr, errors="backslashreplace")


def _reconfigure(stream: Any, **settings: str) -> None:
    # Absent where the stream has been replaced by one of another kind: a notebook, a test.
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(**settings)


def is_terminal(stream: Any) -> bool:
    """Whether a person sees the stream, on something that can move its cursor."""
    try:
        return stream.isatty() and os.environ.get("TERM", "") != "dumb"
    except ValueError:
        return False


def forced_colour() -> bool:
    """Whether the user wants styles even where no terminal is."""
    return os.environ.get("FORCE_COLOR", "") not in ("", "0")


def console(stream: Any) -> Console:
    """A Rich console that never interprets what it is given: no markup, no emoji, no highlighting."""
    from rich.console import Console

    class Ours(Console):
        def on_broken_pipe(self) -> None:
            """Rich would end the program, and with exit code 1."""
            raise

    terminal = is_terminal(stream) or forced_colour()
    return Ours(
        file=stream,
        force_terminal=terminal,
        no_color=bool(os.environ.get("NO_COLOR")),
        markup=False,
        emoji=False,
        highlight=False,
        **_size(stream),
    )


def _size(stream: Any) -> dict[str, int]:
    """Columns and lines of a stream that is no terminal, or where COLUMNS is no number; nothing leaves it to
    Rich, which takes COLUMNS first and then asks the terminal."""
    given = os.environ.get("COLUMNS", "")
    if (given.isascii() and given.isdigit() and int(given) > 0) or (not given and is_terminal(stream)):
        return {}
    try:
        width, height = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError, AttributeError):
        width, height = 0, 0
    return {"width": width or 100, "height": height or 25}


class Errors:
    """stderr for Rich: whoever reads it may go away without stopping the job."""

    def __init__(self) -> None:
        self.stream = sys.stderr

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Stdout:
    """The answer's place when no file was asked for. Same calls as ``cli.output.OutputFile``."""

    def write(self, text: str) -> None:
        with told():
            sys.stdout.write(text)

    def commit(self, partial: bool = False) -> str:
        """Everything written so far is on its way; returns where it went, nothing for stdout."""
        flush()
        return ""

    def discard(self) -> None:
        """What was printed is printed."""


def flush() -> None:
    """Push the answer out; an error here is the last chance to tell of a full disk."""
    with told():
        sys.stdout.flush()


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What goes wrong with stdout inside, as an error for the user; a closed pipe as BrokenPipeError, on
    Windows too."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if _WINDOWS and error.errno == errno.EINVAL:  # its word for a pipe that nobody reads
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from None
        hush()
        raise OutputError(
            f"standard output cannot be written: {error.strerror}", "write to a file with --output FILE"
        ) from None


def hush() -> None:
    """Nobody reads stdout any more: leave the rest nowhere, so that the shutdown stays quiet."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def show(text: str) -> int:
    """An answer that is already text; returns the exit code 0."""
    place = Stdout()
    place.write(text)
    place.commit()
    return 0


class Pager(Stdout):
    """``$PAGER`` between a long text and the terminal; leaving it early is no error."""

    def __init__(self, command: str) -> None:
        import shlex
        import subprocess

        try:
            self._process = subprocess.Popen(
                shlex.split(command), stdin=subprocess.PIPE, encoding="utf-8", errors="replace"
            )
        except (OSError, ValueError) as error:
            raise UsageError(
                f"PAGER cannot be started: {command}", "set PAGER to a program, or to nothing"
            ) from error

    def write(self, text: str) -> None:
        assert self._process.stdin is not None
        with told():
            self._process.stdin.write(text)

    def commit(self, partial: bool = False) -> str:
        self.discard()
        return ""

    def discard(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._process.communicate()


def pager() -> Stdout:
    """Where a text too long for the screen goes: the user's pager, if there is a user and a pager."""
    command = os.environ.get("PAGER", "").strip()
    return Pager(command) if command and is_terminal(sys.stdout) else Stdout()
