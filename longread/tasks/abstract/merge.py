"""From notes to a summary: notes of a chapter are made one, then those of the book.

Knows how notes are shared out over the parts of a summary and folded until they fit a
prompt. Knows no window and no model: a ``Writer`` does.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise

from longread.errors import Interrupted
from longread.events import Event, Progress
from longread.reader.document import Document
from longread.tasks.abstract.quote import condense
from longread.tasks.abstract.writer import Writer
from longread.tasks.outlook import LONGEST
from longread.tasks.summarize import Section

_LEAST = 25  # the shortest text that is asked for
_DEPARTURE = 0.2  # from the length asked for, in either direction


@dataclass(frozen=True)
class Note:
    """What is known of the characters ``start`` to ``end``, which lie in ``chapter``."""

    text: str
    start: int
    end: int
    chapter: int | None


class Merger:
    """Folds notes upward with ``writer``. ``done`` counts its texts; once ``interrupted`` it goes on without
    the model."""

    def __init__(self, writer: Writer, document: Document) -> None:
        self.interrupted = False
        self.replaced = 0
        self._writer = writer
        self._meter = writer.meter
        self._document = document
        room = writer.room("merge", "more")
        cjk = 2 if self._meter.unit == "characters" else 1
        answer = min(room // 4, self._meter.answer(LONGEST * cjk))
        self._source = room - 2 * answer  # one for the answer, one for what came before it
        self._before = answer
        self.longest = self._meter.length_in(answer)
        self.done = self._ahead = 0

    def sections(self, notes: list[Note], length: int, *, by: str) -> Generator[Event, None, list[Section]]:
        """The summary's sections, in book order, about ``length`` together: one a chapter, or as many as
        the window makes necessary."""
        if by == "chapter":
            parts = [list(group) for _, group in groupby(notes, key=lambda note: note.chapter)]
        else:
            parts = self._shared_out(notes, -(-length // self.longest))
        lengths = _lengths(parts, length, even=by == "chapter")
        self._ahead = len(parts)
        sections: list[Section] = []
        wanted = got = 0
        for part, share in zip(parts, lengths, strict=True):
            wanted += share
            # What an earlier section was too long or too short is made up for.
            now = max(_LEAST, round(min(max(wanted - got, 0.8 * share), 1.2 * share)))
            before = [section.text for section in sections[-1:]]  # so that the next one goes on from there
            text = yield from self._told(part, now, before)
            got += self._meter.length(text)
            sections.append(Section(self._title(part), text, self._spans(part)))
        return _same_joined([section for section in sections if section.text])

    def _told(self, notes: list[Note], length: int, before: list[str]) -> Generator[Event, None, str]:
        """Notes as one paragraph of about ``length``, in several goes where that is too long for one."""
        goes = self._shared_out(notes, -(-length // self.longest))
        self._ahead += len(goes) - 1
        texts: list[str] = []
        for part, share in zip(goes, _lengths(goes, length), strict=True):
            folded = yield from self._folded(part)
            text = yield from self._final(folded, round(share), [*before, *texts][-1:])
            texts.append(text)
        return self._meter.join(texts)

    def _final(self, notes: list[Note], length: int, before: list[str]) -> Generator[Event, None, str]:
        """The last step: exactly the length asked for, as near as it can be had."""
        source = [note.text for note in notes]
        low, high = (1 - _DEPARTURE) * length, (1 + _DEPARTURE) * length
        if len(source) == 1 and low <= self._meter.length(source[0]) <= high:
            self.done += 1
            return source[0]
        text = yield from self._merge("merge", notes, length, self._meter.recent(before, self._before))
        if text and self._meter.length(text) < low and not self.interrupted:
            self._ahead += 1
            longer = yield from self._merge("more", notes, length, self._meter.shortened(text, self._before))
            text = max(text, longer, key=self._meter.length)
        return text or self._replacement(source, length)

    def _folded(self, notes: list[Note]) -> Generator[Event, None, list[Note]]:
        """``notes`` merged upward until they fit a prompt together: a chapter's first, then neighbours."""
        half = self._source // 2 - 3  # so that any two fit
        while len(notes) > 1 and self._tokens(notes) > self._source:
            notes = [self._within(note, half) for note in notes]
            groups = self._groups(notes)
            ratio = min(0.5, 0.9 * self._source / self._tokens(notes))
            self._ahead += sum(len(group) > 1 for group in groups)
            folded: list[Note] = []
            for group in groups:
                if len(group) == 1:
                    folded += group
                    continue
                size = sum(self._meter.length(note.text) for note in group)
                length = min(self.longest, max(_LEAST, round(ratio * size)))
                before = self._meter.recent([note.text for note in folded], self._before)
                text = yield from self._merge("merge", group, length, before)
                text = text or self._replacement([note.text for note in group], length)
                folded.append(self._within(_joined(text, group), half))
            notes = folded
        return [self._within(note, self._source) for note in notes]

    def _groups(self, notes: list[Note]) -> list[list[Note]]:
        """Neighbours that fit a prompt together, at least one pair among them: within chapters while a
        chapter has more than one note, then across them."""
        within = any(a.chapter == b.chapter for a, b in pairwise(notes))
        groups: list[list[Note]] = []
        for note in notes:
            last = groups[-1] if groups else []
            fits = last and self._tokens([*last, note]) <= self._source
            if fits and (not within or last[0].chapter == note.chapter):
                last.append(note)
            else:
                groups.append([note])
        return groups

    def _merge(self, name: str, notes: list[Note], length: int, before: str) -> Generator[Event, None, str]:
        """One text from the writer, "" where it could not be had."""
        if self.interrupted:
            return ""
        writer = self._writer
        share = notes[-1].end / max(self._document.characters, 1)
        writer.progress = Progress(
            "merging notes", self.done, max(self.done + 1, self._ahead), "texts", self._title(notes), share
        )
        try:
            yield writer.progress
            source = "\n\n".join(note.text for note in notes)
            text = yield from writer.text(
                name, chapter=self._title(notes), before=before, source=source, length=length
            )
        except Interrupted:
            self.interrupted = True
            return ""
        self.done += 1
        writer.counts.merged += bool(text)
        return text

    def _replacement(self, texts: list[str], length: int) -> str:
        self.replaced += not self.interrupted
        self._writer.counts.replaced += 1
        return condense(texts, length, self._meter)

    def _within(self, note: Note, tokens: int) -> Note:
        if self._meter.tokens(note.text) <= tokens:
            return note
        return Note(self._meter.shortened(note.text, tokens - 1), note.start, note.end, note.chapter)

    def _tokens(self, notes: Iterable[Note]) -> int:
        return sum(self._meter.tokens(note.text) + 2 for note in notes)

    def _shared_out(self, notes: list[Note], count: int) -> list[list[Note]]:
        """``notes`` in at most ``count`` runs, about equal by what they cover; a chapter that is shorter
        than a run stays whole."""
        total = sum(note.end - note.start for note in notes)
        runs: list[list[Note]] = [[] for _ in range(max(1, count))]
        at = 0
        for _, group in groupby(notes, key=lambda note: note.chapter):
            chapter = list(group)
            size = sum(note.end - note.start for note in chapter)
            whole = size * len(runs) <= total
            inside = at
            for note in chapter:
                reach = note.end - note.start
                middle = at + size / 2 if whole else inside + reach / 2
                runs[min(len(runs) - 1, int(middle * len(runs) / max(total, 1)))].append(note)
                inside += reach
            at += size
        return [run for run in runs if run]

    def _title(self, notes: list[Note]) -> str:
        """The chapters that ``notes`` cover, in words."""
        titles = list(dict.fromkeys(self._chapter(place) for place in self._covered(notes)))
        titles = [title for title in titles if title]
        return titles[0] if len(titles) == 1 else f"{titles[0]} – {titles[-1]}" if titles else ""

    def _spans(self, notes: list[Note]) -> tuple[tuple[int, int], ...]:
        """What ``notes`` cover, one span a chapter."""
        groups = (list(group) for _, group in groupby(notes, key=lambda note: note.chapter))
        return tuple((group[0].start, group[-1].end) for group in groups)

    def _covered(self, notes: list[Note]) -> list[int | None]:
        """First and last chapter of each note; a merged one may reach over several."""
        return [place for note in notes for place in (note.chapter, self._document.chapter_at(note.end - 1))]

    def _chapter(self, place: int | None) -> str:
        return "" if place is None else self._document.chapters[place].title


def _same_joined(sections: list[Section]) -> list[Section]:
    """Neighbours under one title as one section of several paragraphs."""
    found: list[Section] = []
    for section in sections:
        last = found[-1] if found else None
        if last is not None and last.chapter == section.chapter:
            found[-1] = Section(last.chapter, f"{last.text}\n\n{section.text}", last.spans + section.spans)
        else:
            found.append(section)
    return found


def _joined(text: str, notes: list[Note]) -> Note:
    return Note(text, notes[0].start, notes[-1].end, notes[0].chapter)


def _lengths(parts: list[list[Note]], length: int, *, even: bool = False) -> list[float]:
    """``length`` shared out by what each part covers; ``even`` gives half of it in equal shares, so that a
    short chapter is told too."""
    sizes = [sum(note.end - note.start for note in part) for part in parts]
    total = max(sum(sizes), 1)
    flat = 0.5 if even else 0.0
    return [length * ((1 - flat) * size / total + flat / len(parts)) for size in sizes]
