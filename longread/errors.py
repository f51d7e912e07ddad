"""Every error that a user can meet, as one tree.

    LongreadError                exit 1   something failed
    ├── UsageError               exit 2   the command line asks for what does not exist
    ├── InputError               exit 1   a file cannot be read as text
    ├── OutputError              exit 1   a result cannot be written where it was asked for
    ├── ModelError               exit 1   a model is missing, damaged or not allowed
    ├── PartialError             exit 3   some of the work was done and written
    ├── UnsupportedError         exit 4   this model or format cannot do that
    └── Interrupted              exit 130 the user pressed Ctrl-C; what was done is kept

Knows how an error is worded: what is wrong, then what to do. Knows nothing of
how it is printed; ``longread.cli`` does that.
"""

from __future__ import annotations


class LongreadError(Exception):
    """A failure that the user is told about in one line and a hint.

    Parameters
    ----------
    message
        What is wrong and where: names the file, the place in it and the value.
    hint
        What to do about it, an imperative sentence; empty where nothing can be done.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LongreadError):
    """The command line or a configuration asks for something that does not exist."""

    exit_code = 2


class InputError(LongreadError):
    """A file or pipe is missing, empty, or is not the text it claims to be."""


class OutputError(LongreadError):
    """A result cannot be written where it was asked for."""


class ModelError(LongreadError):
    """A model is not on this machine, is damaged, or is not allowed to run."""


class PartialError(LongreadError):
    """Part of the work was done and written; the message says which part was not."""

    exit_code = 3


class UnsupportedError(LongreadError):
    """The model or the format at hand cannot do what was asked."""

    exit_code = 4


class Interrupted(LongreadError):
    """The user asked to stop; whatever was finished has been kept."""

    exit_code = 130
