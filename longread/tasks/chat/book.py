"""The book that a chat is about: its text, its index, and the passages that a line needs.

Knows how a path is typed in a chat and what of a book fits beside a turn. Knows no
commands, and of a model only its encoder.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from longread.config import Options
from longread.errors import UsageError
from longread.events import Event, Progress
from longread.memory.recall import pack, recall
from longread.model.tokens import Encoder
from longread.reader.samples import is_sample
from longread.store.passages import Passages
from longread.store.reading import Reading
from longread.tasks import reading
from longread.tasks.ask import Answer, Answerer, kept_in, passages_of
from longread.tasks.chat.workbench import Workbench
from longread.tasks.former import note_asked, take_over

EVIDENCE = 3  # passages behind an answer


class Book:
    """An opened book. ``source`` is where it is found again another day, ``kept`` the reading saved of it."""

    def __init__(
        self,
        source: str,
        job: reading.Job,
        passages: Passages,
        kept: Reading | None,
        stack: ExitStack,
    ) -> None:
        self.source = source
        self.job = job
        self.kept = kept
        self._passages = passages
        self._stack = stack

    def close(self) -> None:
        """Give back its text and its index."""
        self._stack.close()

    @property
    def title(self) -> str:
        return self.job.document.title or self.job.document.name

    def answer(self, question: str, bench: Workbench) -> Generator[Event, None, Answer]:
        """What ``ask`` answers, with the model if it is loaded and trusted to answer."""
        job = self.job
        answerer = Answerer(
            job.document,
            self._passages,
            bench.loaded,
            evidence=EVIDENCE,
            part=(job.start, job.end),
            options=bench.options,
        )
        answer = yield from answerer.answer(question)
        note_asked(self.kept, question, answer.evidence)
        return answer

    def passages(self, text: str, room: int, encoder: Encoder) -> tuple[dict[str, Any], ...]:
        """Passages that bear on ``text``, in the book's order, as many as fit into ``room`` tokens.

        As in the JSON of ``ask``. None where nothing in the book bears on it; one that is too
        long by itself is cut.
        """
        job = self.job
        recalled = recall(self._passages, text, EVIDENCE, job.start, job.end)
        if not recalled.found or room <= 0:
            return ()
        packed = pack(recalled.hits, room, lambda passage: len(encoder.encode(passage)))
        found = []
        for rank, hit in packed or [(1, recalled.hits[0])]:
            # As many characters of the book as the tokens have that fit: they may spell it otherwise.
            fits = len(hit.text) if packed else len(encoder.decode(encoder.encode(hit.text)[:room]))
            said = hit.text[:fits]
            chapter = job.document.chapter_at(hit.start)
            title = "" if chapter is None else job.document.chapters[chapter].title
            found.append(
                {"rank": rank, "chapter": title, "start": hit.start, "end": hit.start + len(said)}
                | {"share": round(hit.start / max(job.document.characters, 1), 6), "text": said}
            )
        return tuple(found)


def open_book(path: str, options: Options) -> Generator[Event, None, Book]:
    """Open and index the book at ``path``, saying what it is.

    ``InputError`` where it cannot be read, ``UsageError`` for the pipe, through which the
    lines of the chat come.
    """
    path = typed_path(path)
    if path == "-":
        raise UsageError(
            "a chat reads its lines from the pipe, so a book cannot come through it", "name the book's file"
        )
    with ExitStack() as stack:
        job = stack.enter_context(reading.opened(path, options))
        yield from reading.announce(job)
        kept, job.options = yield from take_over(job.document, options)
        yield Progress("indexing", 0, 1, "books")
        passages = stack.enter_context(passages_of(job.document, save=options.save))
        yield Progress("indexing", 1, 1, "books")
        if options.save and passages.new:
            yield kept_in(passages)
        source = path if is_sample(path) else str(Path(path).absolute())
        return Book(source, job, passages, kept, stack.pop_all())


def typed_path(text: str, *, there: bool = True) -> str:
    """A path as people type it or drag it here: quoted, with escaped spaces, from home.

    ``there`` says that it exists, so that what stands on the disk decides what was meant.
    """
    if is_sample(text) or (there and os.path.exists(text)):
        return text
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    elif os.name == "posix":
        text = text.replace("\\ ", " ")
    return os.path.expanduser(text)
