"""An answer that is written while one looks on: text to its place, all else to stderr.

Knows when a bar or a note would run through the text. Knows nothing of where the text
comes from; it is cleaned as everything from a model is.
"""

from __future__ import annotations

import sys
from typing import Protocol

from ...events import Event, Note, Progress, Text
from . import streams
from .clean import printable
from .flow import Flow
from .screen import Screen


class Place(Protocol):
    """Where the text goes: stdout or a file."""

    def write(self, text: str) -> None:
        """Append ``text``."""


class Prose:
    """Shows the events of a job whose answer is its ``Text``. Call ``end`` after the last."""

    def __init__(self, screen: Screen, place: Place) -> None:
        self._screen, self._place = screen, place
        self._here = isinstance(place, streams.Stdout)
        self._seen = self._here and streams.is_terminal(sys.stdout)
        self._begun = False
        self._held: list[Note] = []
        self._flow = Flow(streams.console(sys.stdout).width) if self._seen else None

    def show(self, event: Event) -> None:
        """One event of the job; text at once, a letter at a time if it comes so."""
        if isinstance(event, Text):
            if self._seen and not self._begun:
                self._screen.close()
            self._begun = True
            text = printable(event.text)
            self._place.write(self._flow.push(text) if self._flow else text)
            if self._here:
                streams.flush()
        elif not (self._seen and self._begun):
            self._screen.show(event)
        elif isinstance(event, Note):
            self._held.append(event)
        elif not isinstance(event, Progress):
            self._screen.show(event)

    def end(self) -> None:
        """End the last line, then say what would have run through the text."""
        self._screen.close()
        if self._begun:
            self._place.write(self._flow.finish() + "\n" if self._flow else "\n")
            if self._here:
                streams.flush()
        for note in self._held:
            self._screen.show(note)
        self._held.clear()
