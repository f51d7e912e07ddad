"""What the recipe's commands share: the log on stderr, and errors as a message and a hint.

Knows logging, exit codes and the corpus's options. Knows nothing of what a command does.
"""

from __future__ import annotations

import argparse
import functools
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from longread.errors import LongreadError

log = logging.getLogger("longread.pocket")


def corpus_parser(name: str, description: str) -> argparse.ArgumentParser:
    """The options of a command that makes something of the corpus."""
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--source", type=Path, required=True, help="folder with train/ and qa/")
    parser.add_argument(
        "--held-out", type=Path, required=True, help="sentence pairs never to be learned from"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def command(main: Callable[..., None]) -> Callable[..., None]:
    """``main`` with a log, whose ``LongreadError`` ends the process with a message and its exit code."""

    @functools.wraps(main)
    def wrapped(arguments: list[str] | None = None) -> None:
        if not log.handlers:
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
            log.addHandler(handler)
            log.setLevel(logging.INFO)
        try:
            main(arguments)
        except LongreadError as error:
            log.error("error: %s", error.message)
            if error.hint:
                log.error("hint: %s", error.hint)
            sys.exit(error.exit_code)

    return wrapped
