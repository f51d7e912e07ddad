"""The translation of one text from its first sentence to its last.

Knows the order of things: what is there already, a block, what is kept of it, what is
learned from it, how far it is. Knows nothing of how a sentence is translated
(``translator``) or how the whole is written to a file (``outputs``).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from longread.errors import InputError, Interrupted
from longread.events import Done, Event, Planned, Progress
from longread.tasks import reading
from longread.tasks.translate.checks import lacks
from longread.tasks.translate.glossary import Glossary
from longread.tasks.translate.hand import Hand, Write
from longread.tasks.translate.journal import Journal, kept
from longread.tasks.translate.lessons import Pupil
from longread.tasks.translate.report import TRIAL, Trial, remarks, untrusted
from longread.tasks.translate.segments import (
    LONGEST,
    Checkpoint,
    Piece,
    Segment,
    Translated,
    Translation,
    cut,
    weight,
)
from longread.tasks.translate.translator import Translator, chat_of
from longread.tasks.translate.wish import Wish

if TYPE_CHECKING:
    from longread.engine.session import Session
    from longread.model.load import LoadedModel

_SHARE = 8  # a sentence is at most so small a part of the window, so that its answer has room
_SAMPLE = 20_000  # characters from which the tokens of a sentence are estimated


def translation_of(
    job: reading.Job, loaded: LoadedModel, wish: Wish, *, write: Write | None = None
) -> Iterator[Event]:
    """Translate a text that is open with a model that is loaded; ``Done`` with a ``Translation`` is last.

    ``write`` stands in for the model's own hand. ``UnsupportedError`` for a model that
    cannot be asked, and where fewer than half of the first segments pass the checks.
    """
    from longread.engine.session import Session

    planned = None
    for event in reading.introduce(job, loaded):
        if isinstance(event, Planned):
            planned = event  # of one reading; what a translation takes is known after the trial
        else:
            yield event
    with ExitStack() as stack:
        journal = None
        if job.options.save:
            journal = stack.enter_context(kept(wish.key(job, loaded), job.document.name))
        shape = reading.shape_of(loaded, job.options)
        session = stack.enter_context(
            Session(loaded.backbone, loaded.prefix, shape, job.options.memory, seed=job.options.seed)
        )
        work = Work(job, loaded, wish, session, journal, write)
        yield from work.run(planned)


class Work:
    """One translation under way."""

    def __init__(
        self,
        job: reading.Job,
        loaded: LoadedModel,
        wish: Wish,
        session: Session,
        journal: Journal | None,
        write: Write | None,
    ) -> None:
        self._job, self._loaded, self._wish, self._journal = job, loaded, wish, journal
        self._again = wish.again(job)
        self._chat = chat_of(loaded)
        self._hand = Hand(session, self._chat.stop_ids)
        document = job.document
        longest = _longest(job, loaded, session.shape.window)
        self._paragraphs, self._pieces = cut(document, job.start, job.end, wish.pair.src, longest)
        if not self._pieces:
            raise InputError(
                f"{document.name} holds nothing to translate", "look at it with `longread read --text`"
            )
        self.translator = Translator(
            write or self._hand,
            self._chat,
            loaded.encoder,
            wish.pair,
            Glossary(wish.pair, wish.given, (piece.source for piece in self._pieces)),
            window=session.shape.window,
            title=document.title or document.name,
            seed=job.options.seed,
            rounds=journal.rounds if journal is not None and wish.retry_failed else lambda piece: 0,
        )
        self._corrected, self._unmatched = wish.corrections.among(self._pieces)
        self._total = sum(weight(piece.source) for piece in self._pieces)
        self._done: list[Segment] = []
        self._weight = self._new = 0  # of what is done, and of what was translated in this run
        self._trial = Trial([piece for piece in self._pieces if not piece.silent][:TRIAL])
        self._unsure: list[tuple[int, Segment]] = []  # what failed, while the trial lasts
        self._busy = 0.0
        self._pupil = None
        if session.lora is not None:
            self._pupil = Pupil(session, None if journal is None else journal.folder / wish.lessons(job))

    def run(self, planned: Planned | None) -> Iterator[Event]:
        """Every block to the last; an interruption ends it with what there is."""
        from longread_kernels import dispatch

        job, partial = self._job, False
        if self._journal is not None and self._journal.damaged:
            yield job.warn(f"{self._journal.damaged} damaged lines of the saved translation are done again")
        try:
            yield from self._corrections()
            self.translator.progress = self._progress(self._pieces[0], 0.0)
            while len(self._done) < len(self._pieces):
                began = time.perf_counter()
                try:
                    yield from self._block(planned)
                finally:  # what an interruption cut short took time too
                    self._busy += time.perf_counter() - began
                planned = None if self._trial.over else planned
                for text in dispatch.news():
                    yield job.warn(text)
                yield Checkpoint(len(self._done), len(self._pieces), lambda: self._finished(partial=True))
        except Interrupted:
            if not self._done:
                raise Interrupted("stopped before the first sentence was translated") from None
            partial = len(self._done) < len(self._pieces) or bool(self._unsure)
        if not partial and self._journal is not None:
            self._journal.close(self._again)
        job.tally.seconds["translating"] = job.tally.seconds.get("translating", 0.0) + self._busy
        for text in remarks(self._done, self.translator, self._wish.pair):
            with suppress(Interrupted):  # too late: the result is there
                yield job.warn(text)
        # Of a part, only what says that it belongs there.
        lost = [r for r in self._unmatched if job.options.part is None or r.paragraph in self._paragraphs]
        if lost:
            with suppress(Interrupted):
                yield job.warn(
                    f"{len(lost):,} corrected rows match no sentence of the text and were left out"
                )
        yield self._finished(partial=partial)

    def _block(self, planned: Planned | None) -> Iterator[Event]:
        at = len(self._done)
        began = time.perf_counter()
        with closing(self.translator.block(self._pieces[at:], self._known)) as events:
            while True:
                try:
                    event = next(events)
                except StopIteration as end:
                    _, lesson = end.value
                    break
                if not isinstance(event, Translated):
                    yield event
                    continue
                piece = self._pieces[len(self._done)]
                fresh = self._keep(piece, event.segment)
                yield event
                if self._trial.over:
                    self._judge()
                elapsed = self._busy + time.perf_counter() - began
                left = len(self._done) < len(self._pieces)
                if planned is not None and left and self._trial.over and self._new:
                    yield replace(planned, seconds=elapsed * (self._total - self._weight) / self._new)
                    planned = None
                self.translator.progress = self._progress(piece, elapsed)
                if fresh or not left:
                    yield self.translator.progress
        if self._pupil is not None:
            for note in self._pupil.learn(lesson):
                yield self._job.warn(note.text) if note.level == "warning" else note
            self._hand.forget()

    def _known(self, piece: Piece) -> Segment | None:
        """The translation of ``piece`` that there is already: a person's, or one from an earlier run."""
        wish = self._wish
        corrected = self._corrected.get(piece.number)
        if corrected is not None:
            return Segment(piece.paragraph, piece.source, corrected, True, "")
        if self._journal is None:
            return None
        # What this round tried before it was stopped is not tried a second time.
        tried = self._journal.tried(piece, self._again)
        if tried is not None or self._job.options.fresh:
            return tried
        # Terms may have been added since: what they touch is done again.
        given, words = self.translator.glossary.given, self.translator.glossary.words
        found = self._journal.get(piece, lambda it: not lacks(it.target, it.source, given, wish.pair, words))
        return None if found is not None and wish.retry_failed and not found.ok else found

    def _keep(self, piece: Piece, segment: Segment) -> bool:
        """Take ``segment`` in; whether it was translated just now."""
        fresh = not piece.silent and self._known(piece) != segment
        if fresh and self._journal is not None:
            # A trial that fails must leave no failures: the next run is a new trial.
            if segment.ok or self._trial.over:
                self._journal.add(piece.number, segment, self._again)
            else:
                self._unsure.append((piece.number, segment))
        size = weight(piece.source)
        self._done.append(segment)
        self._weight += size
        self._new += size if fresh else 0
        self._trial.take(piece, segment)
        tally = self._job.tally
        tally.read += len(self._loaded.encoder.encode(piece.source))
        tally.unread = round(tally.read * (self._total - self._weight) / max(self._weight, 1))
        end = self._paragraphs[piece.paragraph].end
        tally.share = (end - self._job.start) / max(self._job.document.characters, 1)
        return fresh

    def _judge(self) -> None:
        """The trial is over: UnsupportedError if it has failed."""
        if not (self._wish.anyway or self._trial.passed):
            raise untrusted(self._loaded.name, self._trial, self.translator)
        for number, segment in self._unsure:
            self._journal.add(number, segment, self._again)
        self._unsure.clear()

    def _corrections(self) -> Iterator[Event]:
        """Learn from what a person corrected, before anything is translated."""
        if self._pupil is None:
            return
        if self._job.options.fresh:
            self._pupil.restart()
        else:
            self._pupil.resume()
        for lesson in self.translator.lessons(self._wish.corrections.pairs()):
            for note in self._pupil.learn(lesson):
                yield self._job.warn(note.text) if note.level == "warning" else note

    def _progress(self, piece: Piece, elapsed: float) -> Progress:
        paragraph = self._paragraphs[piece.paragraph]
        chapters = self._job.document.chapters
        left = elapsed * (self._total - self._weight) / self._new if self._new else None
        return Progress(
            "translating",
            len(self._done),
            len(self._pieces),
            "segments",
            chapters[paragraph.chapter].title if paragraph.chapter is not None else "",
            self._job.tally.share,
            self.translator.counts.tokens / elapsed if elapsed > 0 else 0.0,
            left,
        )

    def _finished(self, *, partial: bool) -> Done:
        job, translator = self._job, self.translator
        if self._pupil is not None:
            job.tally.learned = self._pupil.tokens
        failed = sum(not segment.ok for segment in self._done)
        stats = {
            "segments": {"total": len(self._pieces), "done": len(self._done), "failed": failed},
            "written": translator.counts.as_dict(),
        }
        return Done(
            "translate",
            self._loaded.name,
            job.document.as_dict(),
            Translation(
                tuple(self._done),
                translator.glossary.as_dict(),
                self._paragraphs,
                job.source,
                job.document.as_dict(),
                self._wish.pair.src,
                self._wish.pair.tgt,
            ),
            job.tally.as_dict() | stats,
            partial=partial,
            warnings=tuple(job.warnings),
        )


def _longest(job: reading.Job, loaded: LoadedModel, window: int) -> int:
    """The greatest weight of a segment: what takes an eighth of the window, at the text's own rate.

    The same for every part of a text: the segments of a part are those of the whole.
    """
    sample = "".join(job.document.text(0, _SAMPLE))
    rate = max(len(loaded.encoder.encode(sample)), 1) / max(weight(sample), 1)
    return max(40, min(LONGEST, round(window / _SHARE / rate)))
