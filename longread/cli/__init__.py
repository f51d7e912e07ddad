"""The terminal program: ``main`` turns a command line into an exit code.

Knows how every ending becomes a code: done, an error, Ctrl-C, a closed pipe, an error
that nobody foresaw. Knows no command.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``longread`` with ``argv`` (the process's own where None) and return its exit code."""
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # while it starts, too
        return 130


def _run(arguments: list[str]) -> int:
    from .crash import foreseen
    from .render import screen, streams

    streams.prepare()
    try:
        from .app import parse

        run = parse(arguments)
        with warnings.catch_warnings():
            # What libraries say to programmers is no concern of the user, unless it was asked for.
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            code = run()
        streams.flush()
        return code
    except BrokenPipeError:
        # Whoever read the answer has seen enough (``| head``).
        streams.hush()
        return 0
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except Exception as error:
        verbose = _verbose(arguments)
        known = foreseen(error, verbose, "LONGREAD_VERBOSE=1")  # not every command has the flag
        if verbose and known is not error:
            screen.traceback(screen.Errors(), error)
        screen.Screen().error(known)
        return known.exit_code


def _verbose(arguments: list[str]) -> bool:
    """Whether the traceback is wanted: by the flag, or where a command has none, by variable or config."""
    if {"-v", "--verbose"} & set(arguments):
        return True
    try:
        from ..config import BY_NAME, read_file

        setting = BY_NAME["verbose"]
        given = os.environ.get(setting.variable)
        return bool(setting.parse(given, setting.variable) if given else read_file().get("verbose"))
    except Exception:  # whatever went wrong may be in its way too
        return False
