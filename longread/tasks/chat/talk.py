"""A conversation about one book: a line in, events out.

Knows what each line and command means, which of the model's ways of answering it gets,
and what is kept of it. Knows no terminal: whoever calls shows the events.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from longread.config import Options
from longread.errors import Interrupted, UsageError
from longread.events import Done, Event, Note, Planned
from longread.model.find import find_model
from longread.reader.samples import is_sample
from longread.shares import percent
from longread.tasks import estimate, reading
from longread.tasks.ask import Answers, listed_trust
from longread.tasks.chat import transcript
from longread.tasks.chat.book import Book, open_book, typed_path
from longread.tasks.chat.commands import COMMANDS, parse
from longread.tasks.chat.replies import Evidence, Export, Facts, Status
from longread.tasks.chat.transcript import Transcript, Turn
from longread.tasks.chat.workbench import Workbench
from longread.tasks.former import take_over
from longread.tasks.keep import read_before

if TYPE_CHECKING:
    from longread.tasks.chat.voice import Voice


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
        self._book: Book | None = None
        self._log = Transcript(options.model, save=save)

    def __enter__(self) -> Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self._bench.close()
        if self._book is not None:
            self._book.close()

    @property
    def status(self) -> Status:
        """What a status line shows now."""
        title, read = "", 0.0
        if self._book is not None:
            title, read = self._book.title, self._bench.share(self._book.job)
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
        if self._book is None:
            yield Note("no book is open: /open FILE, or /open sample:en")

    def resume(self, word: str = "", *, keep_model: bool = False) -> Iterator[Event]:
        """Take up the latest saved conversation, or the one that ``word`` names: a title, a file, an id.

        It goes on with the model that it had, unless ``keep_model``. ``InputError`` where
        there is none, or where its book is gone.
        """
        if word and (is_sample(word) or os.path.exists(word)):
            yield from self.open(word)
            assert self._book is not None
            log = transcript.load(transcript.find(sha256=self._book.job.document.sha256))
        else:
            log = transcript.load(transcript.find(word))
            if log.source:
                yield from self.open(log.source)
        if keep_model or not log.model:
            log.model = self._bench.options.model
        elif log.model != self._bench.options.model:
            wanted = self._with(log.model)
            bench = Workbench((yield from self._settled(wanted)))
            self._change(wanted, bench)
        if self._book is not None and log.document.get("sha256") != self._book.job.document.sha256:
            yield Note("the book has changed since; places in earlier answers may be off", "warning")
        if log.damaged:
            yield Note(f"{log.damaged} lines of {log.path} cannot be read and were passed over", "warning")
        log.save = self._save
        self._log = log
        last = f"; the last: {log.turns[-1].said}" if log.turns else ""
        turns = "1 turn" if len(log.turns) == 1 else f"{len(log.turns)} turns"
        yield Note(f"taken up again after {turns}{last}")

    def open(self, path: str) -> Iterator[Event]:
        """Talk about the book at ``path`` from now on. Where it cannot be opened, all stays as it was."""
        # A part was asked of the book that the chat began with.
        options = self._options if self._book is None else dataclasses.replace(self._options, part=None)
        book = yield from open_book(path, options)
        if book.job.options == self._bench.options:
            self._bench.forget()
        else:
            self._bench.close()
            self._bench = Workbench(book.job.options)
        if self._book is not None:
            self._book.close()
        self._book, self._voice = book, None
        document = book.job.document.as_dict()
        self._log = Transcript(self._bench.options.model, book.source, document, self._save)

    def send(self, line: str) -> Iterator[Event]:
        """Answer a line or do as a command says. ``LongreadError`` where that cannot be; the chat goes on."""
        name, argument = parse(line)
        try:
            if name:
                yield from getattr(self, f"_{name}")(argument)
            elif argument:
                if self._chats is None:
                    yield from self._bench.load()
                yield from (self._converse if self._chats else self._ask)(argument)
        except KeyboardInterrupt:
            self._bench.close()  # it may have been in the middle of anything
            raise

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
        assert self._bench.loaded is not None
        encoder = self._bench.loaded.encoder
        passages = () if self._book is None else self._book.passages(text, voice.room(text), encoder)
        answer = yield from voice.say(text, passages)
        yield from self._keep(Turn("chat", text, answer, evidence=passages))

    def _ask(self, question: str) -> Iterator[Event]:
        book = self._need_book()
        trust = listed_trust(self._bench.options.model)
        if self._bench.loaded is None and (trust is None or trust.answers):
            yield from self._bench.load()
        answer = yield from book.answer(question, self._bench)
        document = book.job.document.as_dict()
        yield Done("ask", self._bench.options.model, document, Answers((answer,)), {})
        evidence = tuple(dataclasses.asdict(item) for item in answer.evidence)
        yield from self._keep(Turn("ask", question, answer.answer, answer.found, evidence))

    def _continue(self, words: str) -> Iterator[Event]:
        voice = yield from self._speaker()
        text = yield from voice.go_on(words)
        yield from self._keep(Turn("continue", words, text))

    def _summary(self, length: str) -> Iterator[Event]:
        from longread.tasks.summarize import foreseen, summary_of

        job, length = self._need_book().job, length or "medium"
        yield from self._bench.load()
        loaded = self._bench.loaded
        assert loaded is not None
        self._bench.close()  # a summary has an adapter of its own
        fresh = reading.Job(job.document, self._bench.options, job.start, job.end, job.source)
        notes = foreseen(fresh, loaded, length=length)
        yield reading.planned(fresh, loaded, keeps=notes is None, notes=notes)
        if (yield from summary_of(fresh, loaded, length=length)):
            yield Note(f"stopped at {percent(fresh.tally.share)} of the book: the summary is of that much")

    def _learn(self, wanted: str) -> Iterator[Event]:
        if wanted == "off":
            was = self._bench.learning
            self._bench.learn(False)
            yield Note(
                "the adapter is put aside with what it has learned; /learn on takes it up again"
                if was
                else "nothing is being learned"
            )
            return
        yield from self._bench.load()
        job = None if self._book is None else self._book.job
        if job is None or self._bench.share(job) >= 1:
            self._bench.learn(True)
            yield Note("what you say is learned from now on, as it leaves the window")
            return
        if self._voice is not None and not self._voice.conversation.turns:
            self._voice = None  # it is to go on from where the reading comes to
        yield Note("the book is read with a temporary adapter now; Ctrl-C stops, what was learned stays")
        yield self._plan(job)
        try:
            yield from self._bench.read(job)
        except Interrupted:
            yield Note(f"stopped at {percent(self._bench.share(job))} of the book; /learn on reads on")
        else:
            yield Note("the book is read; what you say is learned from now on, as it leaves the window")

    def _plan(self, job: reading.Job) -> Planned:
        loaded, rest = self._bench.loaded, self._bench.rest(job)
        assert loaded is not None
        shape = reading.shape_of(loaded, rest.options)
        rest.options = estimate.as_loaded(rest.options, loaded)
        # What a saved reading has read is taken up the first time.
        read = read_before(rest, loaded, shape) if self._bench.untaught else 0.0
        stateful = loaded.backbone.stateful
        return estimate.plan(rest, loaded.found, loaded.encoder, shape, stateful=stateful, read=read)

    def _evidence(self, _: str) -> Iterator[Event]:
        last = self._log.turns[-1] if self._log.turns else None
        if last is None or not last.evidence:
            raise UsageError("the last answer rests on no passages", "ask something about the book")
        yield Evidence(last.evidence)

    def _status(self, _: str) -> Iterator[Event]:
        now, voice = self.status, self._voice
        rows = [("book", now.title or "none"), ("read with the adapter", percent(now.read))]
        if voice is not None:
            size = voice.conversation.shape.window
            rows.append(("window", f"{percent(voice.conversation.filled)} of {size:,} tokens"))
        rows += [("adapter", "on" if now.adapter else "off"), ("model", self._bench.options.model)]
        rows.append(("turns", str(len(self._log.turns))))
        if now.speed:
            rows.append(("tokens a second", f"{now.speed:.0f}"))
        rows.append(("saved in", str(self._log.path or ("nothing yet" if self._log.save else "nothing"))))
        yield Facts(tuple(rows))

    def _undo(self, _: str) -> Iterator[Event]:
        if not self._log.turns:
            raise UsageError("there is nothing to take back", "")
        turn = self._log.turns[-1]
        if self._voice is not None:
            self._voice.undo(turn)
        self._log.undo()  # last: it may find the disk full
        yield Note(f"taken back: {turn.said or '/continue'}")

    def _export(self, path: str) -> Iterator[Event]:
        yield Export(typed_path(path, there=False), self._log.as_text())

    def _model(self, name: str) -> Iterator[Event]:
        if name:
            name = find_model(typed_path(name)).given
            wanted = self._with(name)
            bench = Workbench((yield from self._settled(wanted)))
            yield from bench.load()
            self._change(wanted, bench)
            self._log.use(name)
        else:
            yield from self._bench.load()
        loaded = self._bench.loaded
        assert loaded is not None
        does = "chats" if loaded.trust.chats else "does not chat: a line is answered with passages"
        rows = [("model", loaded.name), ("parameters", f"{loaded.parameters:,}"), ("in a chat", does)]
        yield Facts((*rows, ("in general", loaded.trust.says), ("device", str(loaded.backbone.device))))

    def _with(self, model: str) -> Options:
        """The user's own options, and ``model``."""
        return dataclasses.replace(self._options, model=model, named=self._options.named | {"model"})

    def _settled(self, wanted: Options) -> Generator[Event, None, Options]:
        """``wanted``, with the sizes of a reading of this book by this model, never another's."""
        if self._book is None:
            return wanted
        return (yield from take_over(self._book.job.document, wanted))[1]

    def _change(self, options: Options, bench: Workbench) -> None:
        """From here on the model of ``bench`` answers; what it says is made anew from the turns."""
        self._bench.close()
        self._options, self._bench, self._voice = options, bench, None
        if self._book is not None:
            self._book.job.options = bench.options

    def _help(self, _: str) -> Iterator[Event]:
        rows = [(f"/{c.name} {c.takes}".strip(), c.help) for c in COMMANDS.values()]
        keys = [("Esc Enter", "a new line; so is \\ at a line's end"), ("Ctrl-R", "search what was typed")]
        yield Facts((*rows, *keys))

    def _quit(self, _: str) -> Iterator[Event]:
        self.over = True
        yield from ()

    def _need_book(self) -> Book:
        if self._book is None:
            raise UsageError("no book is open", "/open FILE, or /open sample:en")
        return self._book

    def _speaker(self) -> Generator[Event, None, Voice]:
        """The model's own voice, made when it is first needed from the turns so far."""
        if self._voice is None:
            yield from self._bench.load()
            from longread.tasks.chat.voice import Voice

            title = self.status.title
            tail = self._bench.tail(self._book.job) if self._book is not None else ""
            self._voice = Voice(self._bench, title=title, tail=tail, turns=self._log.turns)
        return self._voice

    def _keep(self, turn: Turn) -> Iterator[Event]:
        """Save a turn, and let the adapter learn what it has pushed out of the window."""
        if turn.kind != "ask" and not turn.answer.strip():
            return
        if self._log.add(turn):
            yield Note(
                f"this conversation is saved in {self._log.path}; "
                f"`longread readings rm {self._log.path.stem}` drops it, --no-save leaves nothing"
            )
        if turn.kind != "ask" and self._voice is not None and self._bench.learning:
            with contextlib.suppress(Interrupted):
                yield from self._voice.learn()
