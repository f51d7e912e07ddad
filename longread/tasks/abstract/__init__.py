"""A summary in the model's own words: notes while reading, merged upward afterwards.

Knows the order of things: read a stretch, note it given the notes so far, and when the
book is read, merge. The notes are written in a stream of their own beside the reading's,
with the adapter that the reading has trained so far. Knows no prompt and no template.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from longread.errors import Interrupted
from longread.events import BlockRead, Event, Progress
from longread.events import Note as Remark
from longread.reader.language import base_language
from longread.reader.sentences import unwrapped
from longread.tasks import estimate, reading
from longread.tasks.abstract.lengths import Meter
from longread.tasks.abstract.merge import Merger, Note
from longread.tasks.abstract.quote import quote
from longread.tasks.abstract.stretches import Stretch, Stretches
from longread.tasks.abstract.writer import Counts, Write, Writer
from longread.tasks.outlook import LEAST, MOST, PLENTY, SAMPLE, sizes_for
from longread.tasks.summarize import Summary, heedless

if TYPE_CHECKING:
    from longread.engine.session import Session
    from longread.model.chat import Chat
    from longread.model.load import LoadedModel

__all__ = ["Counts", "abstract"]

_T = TypeVar("_T")
_ENOUGH = 100  # tokens that say how long others take


def abstract(
    job: reading.Job,
    loaded: LoadedModel,
    wanted: int,
    *,
    by: str,
    lang: str | None,
    write: Write | None = None,
    counts: Counts | None = None,
) -> Generator[Event, None, tuple[Summary, bool]]:
    """Read the text once and write about it; returns the summary and whether the text was left unfinished.

    ``wanted`` is in words, in Chinese and Japanese in characters, of the language written:
    ``lang``, else the document's. ``by`` is "book" or "chapter". ``write`` stands in for
    the model's hand, ``counts`` takes what was written. ``ModelError`` without a chat
    template that works, ``UnsupportedError`` for a window too small to write in.
    """
    from longread.engine.session import Session
    from longread.model.chat import Chat

    document = job.document
    chat = Chat(loaded.found.folder, loaded.encoder)
    shape = reading.shape_of(loaded, job.options)
    sample = "".join(document.text(job.start, min(job.end, job.start + SAMPLE)))
    meter = Meter(loaded.encoder, lang or document.language, sample, document.language)
    pace = Pace()
    with Session(loaded.backbone, loaded.prefix, shape, job.options.memory, seed=job.options.seed) as session:
        writer = Writer(
            write or hand_of(session, loaded, chat, pace),
            chat,
            loaded.encoder,
            meter,
            window=shape.window,
            title=document.title or document.name,
            chapters=[chapter.title for chapter in document.chapters],
            seed=job.options.seed,
        )
        if counts is not None:
            writer.counts = counts
        scribe = _Scribe(job, loaded, writer, wanted)
        merger = Merger(writer, document)  # so that a window too small is known before the reading
        partial = False
        try:
            yield from scribe.read(session)
        except Interrupted as error:
            partial = True
            scribe.save()
            if not scribe.notes:
                raise reading.stopped(job, error) from None
        yield from heedless(scribe.remarks())
        wanted = min(wanted, max(1, scribe.length // 2))
        with job.tally.phase("merging"):
            sections = yield from merger.sections(scribe.notes, wanted, by=by)
        partial = partial or merger.interrupted
    summary = Summary("\n\n".join(section.text for section in sections), tuple(sections))
    job.tally.extra["written"] = writer.counts.as_dict()
    if pace.tokens >= _ENOUGH:
        known = estimate.as_loaded(job.options, loaded)
        estimate.remember_speed(loaded.found, shape, known, pace.tokens / pace.seconds, kind=estimate.NOTES)
    yield from heedless(_merged_remarks(job, merger, meter, meter.length(summary.summary), wanted))
    end = max(1, merger.done)
    yield from heedless([Progress("merging notes", end, end, "texts", share=job.tally.share)])
    return summary, partial


@dataclass
class Pace:
    """Tokens that were written one after another, and the seconds that they took; a text's first token, which
    takes its prompt, is left out."""

    tokens: int = 0
    seconds: float = 0.0

    def of(self, ids: Generator[int, None, _T]) -> Generator[int, None, _T]:
        """The same ``ids``, timed; not what is done with each."""
        began = None
        while True:
            try:
                token = next(ids)
            except StopIteration as end:
                return end.value
            if began is not None:
                self.tokens += 1
                self.seconds += time.perf_counter() - began
            yield token
            began = time.perf_counter()


def hand_of(session: Session, loaded: LoadedModel, chat: Chat, pace: Pace | None = None) -> Write:
    """The model's own hand, timed by ``pace``: each text in a stream of its own, in the open ``session``."""
    from longread.engine.decode import generate_ids
    from longread.memory.policy import fresh_policy

    pace = pace or Pace()
    backbone, shape = loaded.backbone, session.shape

    def write(prompt_ids, *, max_tokens, sampling, seed) -> Generator[int, None, str]:
        policy = fresh_policy(backbone, window=shape.window, sinks=shape.sinks, tokens=len(prompt_ids))
        off = session.lora is not None and not session.memory.answering_adapter
        with session.lora.off() if off else nullcontext():  # once a text: switching costs milliseconds
            ids = generate_ids(
                policy,
                backbone,
                prompt_ids,
                max_tokens=max_tokens,
                sampling=sampling,
                stop_ids=chat.stop_ids,
                seed=seed,
            )
            with closing(ids):
                return (yield from pace.of(ids))

    return write


class _Scribe:
    """Takes notes while a text is read."""

    def __init__(self, job: reading.Job, loaded: LoadedModel, writer: Writer, wanted: int) -> None:
        self.notes: list[Note] = []
        self.length = 0  # of the text noted, in the language written
        self._job = job
        self._loaded = loaded
        self._writer = writer
        self._meter = writer.meter
        self._scale = 2 if self._meter.unit == "characters" else 1
        self._sizes = sizes_for(writer.room("note"), self._meter.answer(MOST * self._scale))
        self._longest = self._meter.length_in(self._sizes.answer)
        self._wanted = wanted
        self._quoted = 0
        self._stretches = Stretches(job.document, loaded.encoder, job.start, job.end, self._sizes.stretch)
        self._same = base_language(self._meter.language) == base_language(job.document.language)

    def read(self, session: Session) -> Iterator[Event]:
        """The reading's events; each stretch that it completes is noted."""
        tally = self._job.tally
        before = tally.seconds.get("writing", 0.0)
        try:
            with closing(reading.read_blocks(self._job, self._loaded, session)) as events:
                end = self._job.start
                for event in events:
                    yield event
                    if isinstance(event, BlockRead):
                        end = event.block.end
                    elif isinstance(event, Progress):  # the block's last event: it says where the bars stand
                        self._writer.progress = event
                        for stretch in self._stretches.upto(end):
                            yield from self._note(stretch)
        finally:
            # The reading stood still while notes were written; its own clock did not.
            spent = tally.seconds.get("writing", 0.0) - before
            tally.seconds["reading"] = max(0.0, tally.seconds.get("reading", 0.0) - spent)
        for stretch in self._stretches.rest():
            yield from self._note(stretch)

    def save(self) -> None:
        """After an interruption: what was read and not yet noted is quoted."""
        for stretch in self._stretches.rest():
            self._keep(stretch, "")

    def remarks(self) -> Iterator[Remark]:
        """What the user should know about the notes."""
        counts = self._writer.counts
        if self._quoted:
            what = ", ".join(f"{fault} ({count})" for fault, count in counts.faults.most_common())
            yield self._job.warn(
                f"{self._quoted} of {len(self.notes)} notes could not be written; a sentence of the book "
                f"stands in for each. What went wrong, first and second tries together: a note {what}"
            )
        if counts.cut:
            yield self._job.warn(
                f"{counts.cut} prompts did not fit the window; the end of their text was left out"
            )

    def _note(self, stretch: Stretch) -> Iterator[Event]:
        """Write down what ``stretch`` tells, given the last notes."""
        size = self._meter.length(stretch.text)
        share = (stretch.end - stretch.start) / max(self._job.characters, 1)
        length = round(PLENTY * self._wanted * share)
        length = min(max(length, LEAST * self._scale), self._longest)
        if self._same and size <= length:  # shorter than its note would be
            self._keep(stretch, unwrapped(stretch.text) if size else "")
            return
        try:
            text = yield from self._written(stretch, length)
        except Interrupted:
            self._keep(stretch, "")  # it was read: a sentence of it stands in for its note
            raise
        self._writer.counts.notes += bool(text)
        self._quoted += not text
        self._writer.counts.replaced += not text
        self._keep(stretch, text)

    def _written(self, stretch: Stretch, length: int) -> Generator[Event, None, str]:
        with self._job.tally.phase("writing"):
            return (
                yield from self._writer.text(
                    "note",
                    chapter=self._title(stretch.chapter),
                    before=self._meter.recent([note.text for note in self.notes[-8:]], self._sizes.before),
                    source=stretch.text,
                    length=length,
                )
            )

    def _keep(self, stretch: Stretch, text: str) -> None:
        self.length += self._meter.length(stretch.text)
        text = text or quote(stretch.text, self._job.document.language)
        if text:
            text = self._meter.shortened(text, self._sizes.answer)
            self.notes.append(Note(text, stretch.start, stretch.end, stretch.chapter))

    def _title(self, chapter: int | None) -> str:
        return "" if chapter is None else self._job.document.chapters[chapter].title


def _merged_remarks(job: reading.Job, merger: Merger, meter: Meter, got: int, wanted: int) -> Iterator[Event]:
    if merger.replaced:
        yield job.warn(
            f"{merger.replaced} texts could not be merged by the model; sentences of their notes stand there"
        )
    if not 0.8 * wanted <= got <= 1.2 * wanted:
        yield job.warn(f"the summary has {got:,} {meter.unit} where {wanted:,} were asked for")
