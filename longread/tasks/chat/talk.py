"""A conversation about one book: a line in, events out.

Knows what each line and command means, which of the model's ways of answering it gets,
and what is kept of it. Knows no terminal: whoever calls shows the events.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from longread.config import Options
from longread.errors import Interrupted, UsageError
from longread.events import Done, Event, Note, Planned, Progress
from longread.memory.recall import pack, recall
from longread.model.find import find_model
from longread.reader.samples import is_sample
from longread.tasks import estimate, reading
from longread.tasks.chat import transcript
from longread.tasks.chat.commands import COMMANDS, parse
from longread.tasks.chat.replies import Evidence, Export, Facts, Status
from longread.tasks.chat.transcript import Transcript, Turn
from longread.tasks.chat.workbench import Workbench

if TYPE_CHECKING:
    from longread.tasks.chat.voice import Voice

EVIDENCE = 3  # passages behind an answer


class Talk:
    """One chat, from the banner to its end. Use as a context manager: the model is given back.

    ``over`` is set by /quit. With ``save`` false nothing is written to disk.
    """

    def __init__(self, options: Options, *, save: bool = True) -> None:
        self.over = False
        self._options = options
        self._save = save
        self._bench = Workbench(options)
        self._voice: Voice | None = None
        self._job: reading.Job | None = None
        self._passages: Any = None
        self._book = ExitStack()  # what is open of the present book
        self._log = Transcript(options.model, save=save)

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self._bench.close()
        self._book.close()

    @property
    def status(self) -> Status:
        """What a status line shows now."""
        title, read = "", 0.0
        if self._job is not None:
            document = self._job.document
            title = document.title or document.name
            read = self._bench.share(self._job)
        voice = self._voice
        window = None if voice is None else voice.conversation.filled
        return Status(title, read, window, self._bench.learning, voice and voice.speed)

    def greet(self) -> Iterator[Event]:
        """What this model does with a line, and where help is. Loads it if only it can tell."""
        if self._chats is None:
            yield from self._bench.load()
        if self._chats:
            yield Note(f"{self._bench.options.model} chats; /ask answers with passages and their places")
        else:
            yield Note(
                f"{self._bench.options.model} quotes the book, it does not chat: a line is answered with "
                "passages and their places; /continue lets it write"
            )
        yield Note("/help lists the commands; Ctrl-C stops an answer, Ctrl-D leaves")
        if self._job is None:
            yield Note("no book is open: /open FILE, or /open sample:en")

    def resume(self, word: str = "") -> Iterator[Event]:
        """Take up the latest saved conversation, or the one that ``word`` names: a title, a file, an id.

        ``InputError`` where there is none, or where its book is gone.
        """
        sha256, is_file = "", word and (is_sample(word) or os.path.exists(word))
        if is_file:
            yield from self.open(word)
            assert self._job is not None
            sha256 = self._job.document.sha256
        log = transcript.load(transcript.find("" if is_file else word, sha256))
        if not is_file and log.source:
            yield from self.open(log.source)
        assert self._job is not None or not log.source
        if self._job is not None and log.document.get("sha256") != self._job.document.sha256:
            yield Note("the book has changed since; places in earlier answers may be off", "warning")
        if log.damaged:
            yield Note(f"{log.damaged} lines of {log.path} cannot be read and were passed over", "warning")
        log.save = self._save
        self._log = log
        last = log.turns[-1].said if log.turns else ""
        turns = "1 turn" if len(log.turns) == 1 else f"{len(log.turns)} turns"
        yield Note(f"taken up again after {turns}" + (f"; the last: {last}" if last else ""))

    def open(self, path: str) -> Iterator[Event]:
        """Talk about the book at ``path`` from now on. Where it cannot be opened, all stays as it was."""
        path = _path(path)
        if path == "-":
            raise UsageError("a chat reads its lines from the pipe, so a book cannot come through it",
                             "name the book's file")  # fmt: skip
        from longread.tasks.ask import passages_of

        with ExitStack() as book:
            job = book.enter_context(reading.opened(path, self._bench.options))
            yield from reading.announce(job)
            yield Progress("indexing", 0, 1, "books")
            passages = book.enter_context(passages_of(job.document))
            yield Progress("indexing", 1, 1, "books")
            self._bench.forget()
            self._book.close()
            self._book = book.pop_all()
        self._voice, self._job, self._passages = None, job, passages
        source = path if is_sample(path) else str(Path(path).expanduser().absolute())
        self._log = Transcript(self._bench.options.model, source, job.document.as_dict(), self._save)

    def send(self, line: str) -> Iterator[Event]:
        """Answer a line or do as a command says. ``LongreadError`` where that cannot be; the chat goes on."""
        name, argument = parse(line)
        if name:
            yield from getattr(self, f"_{name}")(argument)
        elif argument:
            if self._chats is None:
                yield from self._bench.load()
            yield from (self._converse if self._chats else self._ask)(argument)

    @property
    def _chats(self) -> bool | None:
        """Whether the model is trusted to chat; None where only loading it can tell."""
        if self._bench.loaded is not None:
            return self._bench.loaded.trust.chats
        entry = find_model(self._bench.options.model).entry
        return None if entry is None else entry.trust.chats

    def _open(self, path: str) -> Iterator[Event]:
        yield from self.open(path)

    def _converse(self, text: str) -> Iterator[Event]:
        voice = yield from self._speaker()
        passages = self._found(text, voice.room())
        answer = yield from voice.say(text, passages)
        yield from self._keep(Turn("chat", text, answer, evidence=passages))

    def _ask(self, question: str) -> Iterator[Event]:
        job = self._need_book()
        from longread.tasks.ask import Answerer, Answers

        part, options = (job.start, job.end), self._bench.options
        answerer = Answerer(
            job.document, self._passages, self._bench.loaded, evidence=EVIDENCE, part=part, options=options
        )
        answer = answerer.answer(question)
        yield Done("ask", options.model, job.document.as_dict(), Answers((answer,)), {})
        evidence = tuple(dataclasses.asdict(item) for item in answer.evidence)
        yield from self._keep(Turn("ask", question, answer.answer, answer.found, evidence))

    def _continue(self, words: str) -> Iterator[Event]:
        voice = yield from self._speaker()
        text = yield from voice.go_on(words)
        yield from self._keep(Turn("continue", words, text))

    def _summary(self, length: str) -> Iterator[Event]:
        from longread.tasks.summarize import summary_of

        job = self._need_book()
        yield from self._bench.load()
        assert self._bench.loaded is not None
        self._bench.close()  # a summary has an adapter of its own
        fresh = reading.Job(job.document, self._bench.options, job.start, job.end)
        yield from summary_of(fresh, self._bench.loaded, length=length or "medium")

    def _learn(self, wanted: str) -> Iterator[Event]:
        yield from self._bench.load()
        self._bench.learn(wanted == "on")
        if wanted == "off":
            yield Note("the adapter is put aside with what it has learned; /learn on takes it up again")
            return
        job = self._job
        if job is None or self._bench.share(job) >= 1:
            yield Note("what leaves the window of this conversation is learned from now on")
            return
        if self._voice is not None and not self._voice.conversation.turns:
            self._voice = None  # it is to go on from where the reading comes to
        yield Note("the book is read with a temporary adapter now; Ctrl-C stops, what was learned stays")
        yield self._plan(job)
        try:
            yield from self._bench.read(job)
        except Interrupted:
            yield Note(f"stopped at {self._bench.share(job):.0%} of the book; /learn on reads on")
        else:
            yield Note("the book is read; what leaves the window of this conversation is learned from now on")

    def _plan(self, job: reading.Job) -> Planned:
        loaded, shape = self._bench.loaded, self._bench.session().shape
        assert loaded is not None
        rest = self._bench.rest(job)
        stateful = loaded.backbone.stateful
        return Planned(**vars(estimate.plan(rest, loaded.found, loaded.encoder, shape, stateful=stateful)))

    def _evidence(self, _: str) -> Iterator[Event]:
        last = self._log.turns[-1] if self._log.turns else None
        if last is None or not last.evidence:
            raise UsageError("the last answer rests on no passages", "ask something about the book")
        yield Evidence(last.evidence)

    def _status(self, _: str) -> Iterator[Event]:
        now, voice = self.status, self._voice
        rows = [("book", now.title or "none"), ("read with the adapter", f"{now.read:.0%}")]
        if voice is not None:
            size = voice.conversation.shape.window
            rows.append(("window", f"{voice.conversation.filled:.0%} of {size:,} tokens"))
        rows += [("adapter", "on" if now.adapter else "off"), ("model", self._bench.options.model)]
        rows.append(("turns", str(len(self._log.turns))))
        if now.speed:
            rows.append(("tokens a second", f"{now.speed:.0f}"))
        rows.append(("saved in", str(self._log.path or ("nothing yet" if self._log.save else "nothing"))))
        yield Facts(tuple(rows))

    def _undo(self, _: str) -> Iterator[Event]:
        turn = self._log.undo()
        if turn is None:
            raise UsageError("there is nothing to take back", "")
        if self._voice is not None:
            self._voice.undo(turn)
        yield Note(f"taken back: {turn.said or '/continue'}")

    def _export(self, path: str) -> Iterator[Event]:
        yield Export(_path(path, there=False), self._log.as_text())

    def _model(self, name: str) -> Iterator[Event]:
        if name:
            bench = Workbench(dataclasses.replace(self._bench.options, model=_path(name)))
            yield from bench.load()
            self._bench.close()
            self._bench, self._voice, self._log.model = bench, None, name
        else:
            yield from self._bench.load()
        loaded = self._bench.loaded
        assert loaded is not None
        does = "chats" if loaded.trust.chats else "does not chat: a line is answered with passages"
        rows = [("model", loaded.name), ("parameters", f"{loaded.parameters:,}"), ("in a chat", does)]
        yield Facts((*rows, ("in general", loaded.trust.says), ("device", str(loaded.backbone.device))))

    def _help(self, _: str) -> Iterator[Event]:
        rows = [(f"/{c.name} {c.takes}".strip(), c.help) for c in COMMANDS.values()]
        keys = [("Esc Enter", "a new line; so is \\ at a line's end"), ("Ctrl-R", "search what was typed")]
        yield Facts((*rows, *keys))

    def _quit(self, _: str) -> Iterator[Event]:
        self.over = True
        yield from ()

    def _need_book(self) -> reading.Job:
        if self._job is None:
            raise UsageError("no book is open", "/open FILE, or /open sample:en")
        return self._job

    def _speaker(self) -> Generator[Event, None, Voice]:
        """The model's own voice, made when it is first needed from the turns so far."""
        if self._voice is None:
            yield from self._bench.load()
            from longread.tasks.chat.voice import Voice

            title = self.status.title
            tail = self._bench.tail(self._job) if self._job is not None else ""
            self._voice = Voice(self._bench, title=title, tail=tail, turns=self._log.turns)
        return self._voice

    def _found(self, text: str, room: int) -> tuple[dict[str, Any], ...]:
        """Passages that bear on ``text``, in the book's order, as many as fit into ``room`` tokens.

        None where nothing in the book does; one that is too long by itself is cut.
        """
        if self._job is None:
            return ()
        assert self._bench.loaded is not None
        encoder, chapters = self._bench.loaded.encoder, self._job.document.chapters
        recalled = recall(self._passages, text, EVIDENCE, self._job.start, self._job.end)
        if not recalled.found:
            return ()
        packed = pack(recalled.hits, room, lambda passage: len(encoder.encode(passage)))
        found = []
        for rank, hit in packed or [(1, recalled.hits[0])]:
            said = hit.text if packed else encoder.decode(encoder.encode(hit.text)[:room])
            title = "" if hit.chapter is None else chapters[hit.chapter].title
            found.append(
                {"rank": rank, "chapter": title, "start": hit.start, "end": hit.start + len(said)}
                | {"share": round(hit.share, 6), "text": said}
            )
        return tuple(found)

    def _keep(self, turn: Turn) -> Iterator[Event]:
        """Save a turn, and let the adapter learn what it has pushed out of the window."""
        if turn.kind != "ask" and not turn.answer.strip():
            return
        if self._log.add(turn):
            yield Note(f"this conversation is saved in {self._log.path}; remove that file to drop it, "
                       "--no-save leaves nothing")  # fmt: skip
        if turn.kind != "ask" and self._voice is not None and self._bench.learning:
            with contextlib.suppress(Interrupted):
                yield from self._voice.learn()


def _path(text: str, *, there: bool = True) -> str:
    """A path as people type it or drag it here: quoted, with escaped spaces, from home. ``there``
    says that the file exists, so that what it is called decides what was meant."""
    if is_sample(text) or (there and os.path.exists(os.path.expanduser(text))):
        return text if is_sample(text) else os.path.expanduser(text)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    elif os.name == "posix":
        text = text.replace("\\ ", " ")
    return os.path.expanduser(text)
