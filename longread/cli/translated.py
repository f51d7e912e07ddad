"""The output of a translation: in the format that its name says, and beside it the glossary.

Knows when a partial file is written and what a translation that has gaps ends with. Knows
no format: a writer in ``longread.tasks.translate.outputs`` does.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..events import Done, Event, Planned
from .interrupt import Stop
from .job import PARTIAL, Place, Run, refuse_packed
from .output import OutputFile
from .render import answers, screen, streams
from .render.clean import printable

_EVERY = 2.0  # seconds between two partial files, or
_REST = 20.0  # so many times what the last one took: a whole book is made anew for each


class Translating(Run):
    """One command line of ``translate``."""

    def perform(self, file: str, place: Place, stop: Stop) -> int:
        """The job, as any other; 3 where segments were left untranslated or found no place."""
        self._lost = 0  # paragraphs
        self._left: tuple[tuple[str, str], ...] = ()  # files of a book
        self._failed, self._written, self._cost, self._source = 0, 0.0, 0.0, file
        code = super().perform(file, place, stop)
        return PARTIAL if code == 0 and (self._failed or self._lost) else code

    def _meanwhile(self, event: Event, place: Place) -> None:
        """At a checkpoint a partial file, so that whatever happens there is one that is valid."""
        began = time.monotonic()
        due = began - self._written > max(_EVERY, _REST * self._cost)
        if event.name != "checkpoint" or not due or self.as_lines or not isinstance(place, OutputFile):
            return
        if place.direct:
            return
        done = event.partial()
        if done.partial and event.done < event.total:
            spare = OutputFile(place.path, self.force, place.binary)
            try:
                self._answer(done, None, spare)
                spare.commit(partial=True)
            finally:
                spare.discard()
            self._written = time.monotonic()
            self._cost = self._written - began

    def _answer(self, done: Done, planned: Planned | None, place: Place) -> None:
        if self.as_json or self.dry_run:
            super()._answer(done, planned, place)
            return
        if isinstance(place, OutputFile):
            for piece in self._pieces(done, self._of(place.path)):
                place.write(_safe(piece) if isinstance(piece, str) else piece)
            return
        kind = self._kind(self._source)
        text = "".join(map(str, self._pieces(done, "txt" if _binary(kind) else kind)))
        heading = (done.document.get("title") or "untitled") if self.several else ""
        answers.deliver(place, partial(_lines, text), heading)

    def _pieces(self, done: Done, kind: str) -> Iterator[Any]:
        from ..tasks.translate import outputs

        count = yield from outputs.writer(kind).write(done.result, self.own.get("layout", "target"))
        self._lost, self._left = (count.lost, count.left) if count is not None else (0, ())

    def _kind(self, file: str) -> str:
        """The source's own format, where a translation can be written in it."""
        from ..tasks.translate import outputs

        ending = Path(file.removesuffix(".gz")).suffix.lower().lstrip(".")
        return ending if ending in outputs.WRITERS and ending not in ("tsv", "tmx") else "txt"

    def _of(self, path: Path) -> str:
        from ..tasks.translate import outputs

        return outputs.kind_of(str(path), "txt")

    def _file(self, path: Path) -> OutputFile:
        refuse_packed(path)
        binary = not (self.as_json or self.as_lines) and _binary(self._of(path))
        return OutputFile(path, self.force, binary)

    def _finish(self, file: str, done: Done, written: str) -> None:
        super()._finish(file, done, written)
        if self.dry_run:
            return
        self._failed = done.stats["segments"]["failed"]
        if self._lost:
            which = "paragraph has" if self._lost == 1 else "paragraphs have"
            self.screen.say(
                f"warning: {self._lost:,} translated {which} no place in this format of the text, which "
                "keeps its own words there; -o FILE.txt holds them all",
                "bold",
            )
        if self._left:
            from ..tasks.translate.report import without

            self.screen.say(f"warning: {screen.unbroken(without(self._left))}", "bold")
        if written and os.path.isfile(written) and done.result.glossary:  # beside a device is no place
            self._glossary(Path(written.removesuffix(".partial")), done.result.glossary)

    def _glossary(self, output: Path, terms: dict[str, Any]) -> None:
        """The names beside the output, for a person to correct and ``--glossary`` to read."""
        from ..tasks.translate.glossary import as_tsv

        path = output.with_suffix(".glossary.tsv")
        given = self.own.get("glossary")
        if given and Path(os.path.expanduser(given)).resolve() == path:
            return
        try:
            file = OutputFile(path, self.force)
            try:
                for line in as_tsv(terms):
                    file.write(_safe(line))
                place = file.commit()
            finally:
                file.discard()
        except OutputError as error:
            self.screen.say(f"note: the glossary was not written: {screen.unbroken(error.message)}", "bold")
        else:
            self.screen.say(f"names are in {screen.unbroken(place)}")


def _binary(kind: str) -> bool:
    """Whether that format is nothing to print."""
    from ..tasks.translate import outputs

    return outputs.writer(kind).BINARY


def _safe(text: str) -> str:
    """``text`` for a file: nothing that steers whoever prints it, tabs as they are."""
    return "\t".join(map(printable, text.split("\t")))


def _lines(text: str, width: int) -> Iterator[answers.Line]:
    for line in printable(text).split("\n")[:-1]:
        yield answers.Line(line.rstrip() if line.strip() else "", "body" if line.strip() else "gap")


def show_text(text: str) -> None:
    """A translation of what was typed."""
    place = streams.Stdout()
    answers.deliver(place, partial(_lines, text))
    streams.flush()
