"""How a chat looks: answers and tables on stdout, all else on stderr.

Knows a stream of text, passages, rows and the status line. Whatever a model, a book or a
user says is cleaned before it is shown. Knows nothing of what a command does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from rich.cells import cell_len, set_cell_size

from ...errors import LongreadError
from ...events import Done, Event, Text
from ...shares import percent
from . import streams, words
from .answers import Line, deliver, lines, prose
from .clean import one_line, printable, unbroken
from .flow import Flow
from .screen import Screen


class ChatScreen:
    """Shows the events of one turn after the other. ``screen`` is what shows those of any job."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._place = streams.Stdout()
        self._open = False  # whether the last line of the answer is unfinished
        self._answered = False
        seen = streams.is_terminal(sys.stdout)
        self._flow = Flow(streams.console(sys.stdout).width) if seen else None

    def __enter__(self) -> ChatScreen:
        self._screen.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._screen.__exit__(*error)

    def show(self, event: Event) -> None:
        """One event. Text is shown at once, a letter at a time if it comes so."""
        if isinstance(event, Text):
            self._screen.close()
            text = printable(event.text)
            self._place.write(self._flow.push(text) if self._flow else text)
            streams.flush()
            self._answered = True
            self._open = (not text.endswith("\n")) if text else self._open
            return
        layout = _LAYOUTS.get(event.name)
        if layout is not None:
            self._deliver(partial(layout, event))
        elif isinstance(event, Done):
            self._deliver(partial(lines, event, None))
        else:
            self._break()
            self._screen.show(event)

    def said(self, text: str) -> None:
        """A line for the user that is no part of the answer."""
        self._break()
        self._screen.say(unbroken(text))

    def error(self, error: LongreadError) -> None:
        """What is wrong, then what to do."""
        self._break()
        self._screen.error(error)

    def end(self) -> None:
        """The turn is over: a blank line after an answer, and bars are gone."""
        self._break()
        self._screen.close()
        if self._answered:
            self._place.write("\n")
        self._answered = False
        streams.flush()

    def _deliver(self, answer: Callable[[int], Iterator[Line]]) -> None:
        self._break()
        self._screen.close()
        deliver(self._place, answer)
        streams.flush()
        self._answered = True

    def _break(self) -> None:
        if self._open:
            self._open = False
            self._place.write(self._flow.finish() + "\n" if self._flow else "\n")
            streams.flush()


def prompt(text: str) -> None:
    """The prompt of a terminal that can do no more than print; on stderr, since it is no answer."""
    stream = streams.Errors()
    stream.write(text)
    stream.flush()


def status_line(status: Any, width: int) -> str:
    """Book, share read, window, adapter, tokens a second; the title gives way where it is narrow."""
    parts = [f"read {percent(status.read)}"] if status.title else []
    if status.window is not None:
        parts.append(f"window {percent(status.window)}")
    parts.append(f"adapter {'on' if status.adapter else 'off'}")
    if status.speed:
        parts.append(f"{words.number(status.speed)} tokens/s")
    rest = " | ".join(parts)
    title = one_line(status.title) or "no book"
    room = width - len(rest) - 4
    if cell_len(title) > room:
        title = set_cell_size(title, max(0, room - 1)).rstrip() + "…" if room > 4 else ""
    return f" {title} | {rest}" if title else f" {rest}"[: max(0, width)]


def _evidence(event: Any, width: int) -> Iterator[Line]:
    for at, item in enumerate(event.passages):
        if at:
            yield Line()
        yield from passage(item)


def passage(item: Mapping[str, Any]) -> Iterator[Line]:
    """A numbered passage with its place, as ``ask`` shows them."""
    place = f"{percent(item['share'])}, characters {item['start']}-{item['end']}"
    yield Line(f"[{item['rank']}] {one_line(item.get('chapter') or '')}".rstrip(), "heading", place)
    yield from prose(item["text"])


def _facts(event: Any, width: int) -> Iterator[Line]:
    yield from facts(event.rows, width)


def facts(rows: Iterable[tuple[str, str]], width: int) -> Iterator[Line]:
    """Labels in a column, what they stand for wrapped beside them; below each other where that is narrow."""
    from rich.text import Text as Wrapped

    rows = [(one_line(label), one_line(text)) for label, text in rows]
    left = max((cell_len(label) for label, _ in rows), default=0) + 2
    for label, text in rows:
        if width - left < 24:
            yield Line(f"{label}: {text}", "body")
            continue
        for part in Wrapped(text).wrap(streams.console(sys.stdout), width - left):
            yield Line(set_cell_size(label, left) + part.plain.rstrip(), "row")
            label = ""


_LAYOUTS: dict[str, Callable[[Any, int], Iterator[Line]]] = {
    "evidence": _evidence,
    "facts": _facts,
}
