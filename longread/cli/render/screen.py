"""What a running job shows on stderr: nothing, plain lines, or a live bar.

Knows the order of the screen and which event says what. Knows nothing of stdout.
All three kinds take the same calls, so that a job need not know which one it has.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from traceback import format_exception
from typing import Any

from ...errors import LongreadError
from ...events import Done, Event, Loaded, Note, Opened, Planned, Progress
from ...shares import percent
from . import words
from .clean import one_line, printable, unbroken
from .streams import Errors, console, is_terminal


class Screen:
    """Errors only; the base of the others."""

    def __init__(self, verbose: bool = False) -> None:
        self.verbose = verbose
        self.stream = Errors()

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def show(self, event: Event) -> None:
        """One event of the job."""

    def say(self, text: str, style: str = "") -> None:
        """A line that a quiet screen leaves out."""

    def finish(self, done: Done) -> None:
        """How much was read, and how long it took."""

    def next_step(self, command: str) -> None:
        """What the user may want to do after this; for a person who sits there."""

    def advise(self, tell: Callable[[], str]) -> None:
        """What ``tell`` knows to say to a person who sits there; for nobody else it is not even asked."""

    def close(self) -> None:
        """The job is over; the screen may be used for the next one."""

    def error(self, error: LongreadError) -> None:
        """What is wrong, then what to do. Shown by every screen."""
        self.close()
        for label, text in (("error", error.message), ("hint", error.hint)):
            if text:
                self._line(f"{label}: {unbroken(text)}", "bold red" if label == "error" else "")

    def _line(self, text: str, style: str = "") -> None:
        if is_terminal(self.stream) and style:
            from rich.text import Text

            label, _, rest = text.partition(":")
            console(self.stream).print(Text().append(f"{label}:", style=style).append(rest), soft_wrap=True)
        else:
            self.stream.write(text + "\n")
            self.stream.flush()


class Plain(Screen):
    """One line for each thing said, and one for each twentieth of a phase."""

    def __init__(self, verbose: bool = False, progress: bool = True) -> None:
        super().__init__(verbose)
        self.progress = progress
        self._step: tuple[str, int] = ("", 0)

    def say(self, text: str, style: str = "") -> None:
        self._line(text, style)

    def show(self, event: Event) -> None:
        if isinstance(event, Note):
            self.say(
                f"{event.level}: {one_line(event.text)}",
                "bold yellow" if event.level == "warning" else "bold",
            )
        elif isinstance(event, Progress):
            self.advance(event)
        elif isinstance(event, Planned) and event.seconds and (self.progress or event.seconds > 60):
            self.say(announced(event))
        if not self.progress:
            return
        if isinstance(event, Opened):
            for text in opened(event):
                self.say(text)
        elif isinstance(event, Loaded):
            self.say(loaded(event, self.verbose))
        elif isinstance(event, Planned) and self.verbose:
            self.say(f"blocks of {event.block} tokens, window {event.window}, sinks {event.sinks}")

    def advance(self, event: Progress) -> None:
        """A line, where the phase has come a twentieth further."""
        phase, before = self._step
        step = int(20 * words.fraction(event.done, event.total) + 1e-9)
        if self.progress and step > (before if phase == event.phase else 0):
            self._step = (event.phase, step)
            self.say(progress_line(event))

    def finish(self, done: Done) -> None:
        if self.progress:
            self.say(closing(done))

    def close(self) -> None:
        self._step = ("", 0)


class Live(Plain):
    """Lines wrapped to the terminal, and a bar below them that moves."""

    def __init__(self, verbose: bool = False) -> None:
        super().__init__(verbose)
        self._console = console(self.stream)
        self._live: Any = None
        self._bar: Any = None

    def say(self, text: str, style: str = "") -> None:
        from rich.text import Text

        label, mark, rest = text.partition(":") if style else ("", "", text)
        line = Text().append(label + mark, style=style).append(rest)
        for row in line.wrap(self._console, max(1, self._console.width)):
            row.rstrip()
            self._console.print(row, soft_wrap=True)

    def advance(self, event: Progress) -> None:
        from rich.live import Live as RichLive

        from .bar import Bar

        if self._live is None:
            self._bar = Bar()
            self._live = RichLive(
                self._bar,
                console=self._console,
                transient=True,
                refresh_per_second=5,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._bar.event = event

    def next_step(self, command: str) -> None:
        if command and command == unbroken(command):  # else it would not do what it says
            self.say(f"next: {command}", "bold")

    def advise(self, tell: Callable[[], str]) -> None:
        if text := tell():
            self.say(text, "bold")

    def close(self) -> None:
        super().close()
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._console.print()  # air between what was said and the answer

    def finish(self, done: Done) -> None:
        self._console.print()
        super().finish(done)


def choose(progress: str, quiet: bool, verbose: bool) -> Screen:
    """The screen for ``--progress``, ``-q`` and what stderr is."""
    if quiet:
        return Screen(verbose)
    if progress == "none":
        return Plain(verbose, progress=False)
    return Live(verbose) if progress == "auto" and is_terminal(sys.stderr) else Plain(verbose)


def announced(event: Planned) -> str:
    """How long it takes, and of what where not of all."""
    more = words.UNKNOWN if event.writing is None else ""
    said = f"this takes about {words.duration(event.seconds)}{more}"
    return f"{said}; in a saved reading {words.taken_up(event.read, event.tokens)}" if event.read else said


def progress_line(event: Progress) -> str:
    """ "reading 35%, Chapter 12, 1,234 tokens/s, 1 min 4 s left"."""
    stand = words.standing(event.done, event.total, event.unit)
    parts = [f"{one_line(event.phase)} {stand}".rstrip(), one_line(event.chapter)]
    parts.append(words.speed(event.tokens_per_second, getattr(event, "bytes_per_second", 0.0)))
    if event.seconds_left is not None:
        parts.append(f"{words.duration(event.seconds_left)} left")
    return ", ".join(filter(None, parts))


def opened(event: Opened) -> list[str]:
    """Title, language, encoding, words, chapters, what was left out."""
    document = event.document
    author = one_line(document.get("author") or "")
    title = one_line(document.get("title") or "") or "untitled"
    chapters = document.get("chapters") or 0
    language = document.get("language") or ""
    facts = [
        words.language(language),
        one_line(document.get("encoding") or ""),
        words.extent(language, event.words, document.get("characters") or 0),
        words.amount(chapters, "chapter") if chapters else "no chapters",
    ]
    out = [f"{title}, by {author}" if author else title, ", ".join(filter(None, facts))]
    if event.left_out:
        out.append(f"left out: {', '.join(map(one_line, event.left_out))}")
    return out


def loaded(event: Loaded, verbose: bool) -> str:
    """The model and what it can do."""
    line = f"{one_line(event.model)} ({words.parameters(event.parameters)}): {one_line(event.trust)}"
    if verbose:
        line += f"; {event.device}, {event.dtype}, {event.policy}, loaded in {words.duration(event.seconds)}"
    return line


def closing(done: Done) -> str:
    """ "read 100% of 190,412 tokens in 98 s"."""
    tokens = done.stats.get("tokens", {})
    read = tokens.get("read", 0)
    total = read + tokens.get("unread", 0) + tokens.get("dropped", 0)
    seconds = sum(
        value for value in done.stats.get("seconds", {}).values() if isinstance(value, (int, float))
    )
    if "segments" in done.stats:
        counts = done.stats["segments"]
        sound = words.number(counts["done"] - counts["failed"])
        return (
            f"translated {sound} of {words.amount(counts['total'], 'segment')} in {words.duration(seconds)}"
        )
    if "asked" in done.stats:
        searched = f"looked through {words.amount(done.stats.get('passages', 0), 'passage')}"
        return f"{searched} in {words.duration(seconds)}"
    written = done.stats.get("written")
    if isinstance(written, int):
        wrote = words.amount(written, "token")
        return f"wrote {wrote} after reading {words.number(read)} in {words.duration(seconds)}"
    share = percent(read / total) if total else "100%"
    line = f"read {share} of {words.amount(total, 'token')}"
    if written:  # a summary in the model's own words: notes all along, so tokens of every try
        line += f" and wrote {words.amount(written.get('tokens', 0), 'token')}, notes and summary,"
    return f"{line} in {words.duration(seconds)}"


def next_command(command: str, file: str, own: Mapping[str, Any], given: Mapping[str, str]) -> str:
    """One command that makes sense after this one, with the same options ``given`` by name; none where the
    text came through a pipe."""
    if file == "-":
        return ""
    longer = command == "summarize" and own.get("length") != "long"
    next_one = "score" if command == "summarize" and not longer else "summarize"
    same = [f"--{name} {words.shell(value)}" for name, value in given.items()]
    return " ".join(["longread", next_one, words.shell(file), *same, *(["--length long"] if longer else [])])


def traceback(stream: Errors, error: BaseException) -> None:
    """The traceback of ``--verbose``; its message may quote the book, so it is cleaned as a book is."""
    stream.write(printable("".join(format_exception(error))))
    stream.flush()
