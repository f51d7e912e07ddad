"""The loop of a chat: a line is read, answered and shown, until there are no more.

Knows who is at the other end, a person at a terminal or a pipe, and what Ctrl-C means to
each. Knows nothing of how lines are answered (``longread.tasks.chat``) or look (``render``).
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ... import config
from ...errors import Interrupted, LongreadError, OutputError
from ...events import Event
from ...tasks.chat.replies import Export, Status
from ...tasks.chat.talk import Talk
from ..crash import foreseen
from ..interrupt import Stop, follow
from ..job import INTERRUPTED, PARTIAL
from ..output import OutputFile
from ..render import screen, streams
from ..render.chat import ChatScreen
from ..render.clean import printable


class Lines(Protocol):
    """Where lines come from. ``person``: someone sits there, who may go on after an error."""

    person: bool

    def read(self, status: Status) -> str:
        """The next line, or lines; EOFError after the last, KeyboardInterrupt on Ctrl-C."""


def converse(name: str | None, given: Mapping[str, Any], *, resume: bool) -> int:
    """A whole chat; its exit code. ``name`` is a book's path, with ``resume`` also a conversation's."""
    values = config.resolve(given)
    of = {key: value.value for key, value in values.items()}
    talk = Talk(config.options(values), save=of["save"])
    view = ChatScreen(screen.choose(of["progress"], of["quiet"], of["verbose"]))
    lines = _lines(of["save"])
    with view, talk:
        loop = Loop(talk, view, bool(of["verbose"]))
        if resume or name is not None:
            # A conversation keeps its model unless another was asked for.
            asked = values["model"].origin == "flag"
            begin = talk.resume(name or "", keep_model=asked) if resume else talk.open(str(name))
            code = loop.run(begin)
            if code:  # a command line that cannot be done is no chat
                return code
        code = loop.run(talk.greet())
        return code or loop.through(lines)


def _lines(save: bool) -> Lines:
    """The prompt for a person at a terminal that can move its cursor, plain lines for all else."""
    if sys.stdin is not None and sys.stdin.isatty():
        shown = next((s for s in (sys.stderr, sys.stdout) if streams.is_terminal(s)), None)
        if shown is not None:
            from .prompt import Prompt

            return Prompt(shown, save)
    from .plain import Plain

    return Plain()


class Loop:
    """Runs one turn after the other; an error ends a turn and not the chat."""

    def __init__(self, talk: Talk, view: ChatScreen, verbose: bool) -> None:
        self._talk = talk
        self._view = view
        self._verbose = verbose
        self._ended = False

    def through(self, lines: Lines) -> int:
        """Every line to the last. A person's chat ends well; a pipe's with 1 where no line could be
        answered, 3 where some could not."""
        codes: list[int] = []
        while not (self._talk.over or self._ended):
            try:
                line = lines.read(self._talk.status)
            except EOFError:
                break
            except KeyboardInterrupt:
                if not lines.person:
                    return INTERRUPTED
                continue
            if line.strip():
                codes.append(self.run(self._talk.send(line)))
                if codes[-1] == INTERRUPTED and not lines.person:
                    return INTERRUPTED
        if self._ended:
            return INTERRUPTED
        if lines.person or not any(codes):
            return 0
        return PARTIAL if 0 in codes else 1

    def run(self, events: Iterator[Event]) -> int:
        """Show what happens; 0, or the exit code of what went wrong."""
        with Stop(self._told) as stop:
            try:
                for event in follow(events, stop):
                    if isinstance(event, Export):
                        self._view.said(f"written in {self._write(event)}")
                    else:
                        self._view.show(event)
            except BrokenPipeError:
                raise
            except (Interrupted, KeyboardInterrupt):
                self._view.said("stopped")
            except Exception as error:
                if self._verbose and not isinstance(error, LongreadError):
                    screen.traceback(streams.Errors(), error)
                known = foreseen(error, self._verbose)
                self._view.error(known)
                return known.exit_code
            finally:
                self._view.end()
                self._ended = stop.last == signal.SIGTERM
        return INTERRUPTED if stop.asked else 0

    def _write(self, event: Export) -> str:
        try:
            file = OutputFile(event.path)
            try:
                file.write(printable(event.text))  # what a book or a model says may steer who prints it
                return file.commit()
            finally:
                file.discard()
        except OutputError as error:  # there is no --output and no --force here
            raise OutputError(str(error), "type /export with another name") from None

    def _told(self) -> None:
        self._view.said("stopping (Ctrl-C again stops at once)")
