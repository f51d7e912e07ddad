"""Translating what someone types, paragraph by paragraph, each with those before as its context.

Knows a model in memory and the languages of what is typed. Keeps nothing on disk; knows
nothing of where the text comes from.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from longread.config import Options
from longread.events import Event, Note, Progress, Text
from longread.reader.language import detect
from longread.tasks.translate import languages, trusted, wishes
from longread.tasks.translate.checks import Pair
from longread.tasks.translate.glossary import Glossary
from longread.tasks.translate.hand import Hand, Write
from longread.tasks.translate.outputs.txt import lines
from longread.tasks.translate.segments import LONGEST, Piece, Segment, Translated, split
from longread.tasks.translate.translator import Translator, chat_of

if TYPE_CHECKING:
    from longread.engine.session import Session
    from longread.model.load import LoadedModel


class Typed:
    """A translator for a person at a terminal. Use as a context manager; ``begin`` first.

    ``write`` stands in for the model's own hand.
    """

    def __init__(
        self,
        options: Options,
        *,
        src: str | None = None,
        tgt: str | None = None,
        glossary: str | None = None,
        corrections: str | None = None,
        anyway: bool = False,
        write: Write | None = None,
        **_: object,
    ) -> None:
        self._options, self._src, self._tgt, self._anyway = options, src, tgt, anyway
        self._given, self._corrections = wishes(glossary, corrections)
        self._write = write
        self._loaded: LoadedModel | None = None
        self._session: Session | None = None
        self._translator: Translator | None = None
        self._pair: Pair | None = None
        self._stack = ExitStack()
        self._count = self._paragraph = 0

    def __enter__(self) -> Typed:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)

    def begin(self) -> Iterator[Event]:
        """Load the model; any error that the user must mend first comes here."""
        from longread.engine.session import Session, without_learning
        from longread.engine.shape import shape_for
        from longread.memory.policy import make_policy
        from longread.model.load import load_model

        options = self._options
        # Without --src what is typed tells its language line by line.
        pair = None
        if self._src is not None or self._tgt is None:
            pair = languages.pair(self._src, self._tgt, "und")
        else:
            languages.code(self._tgt, "--tgt")
        self._loaded = trusted(
            options.model,
            pair,
            lambda: load_model(options.model, make_policy, device=options.device, dtype=options.dtype),
            anyway=self._anyway,
        )
        loaded, memory = self._loaded, without_learning(options.memory)
        shape = shape_for(loaded.backbone, memory, len(loaded.prefix), learned_sink=loaded.learned_sink)
        self._session = self._stack.enter_context(
            Session(loaded.backbone, loaded.prefix, shape, memory, seed=options.seed)
        )
        yield Note("type a paragraph and Enter; a backslash at a line's end goes on; Ctrl-D ends")

    def say(self, text: str) -> Iterator[Event]:
        """Translate one paragraph; its ``Text`` comes last, and before it what is wrong with it."""
        pair = languages.pair(self._src, self._tgt, detect(text))
        if pair != self._pair:
            self._translator = self._new(pair)
            self._pair = pair
        assert self._translator is not None
        pieces = [
            Piece(self._count + at, self._paragraph, sentence)
            for at, sentence in enumerate(split(text, pair.src, LONGEST // 4))
        ]
        self._count, self._paragraph = self._count + len(pieces), self._paragraph + 1
        done: list[Segment] = []
        while len(done) < len(pieces):
            self._translator.progress = Progress("translating", len(done), len(pieces), "segments")
            for event in self._translator.block(pieces[len(done) :], self._known):
                if not isinstance(event, Translated):
                    yield event
                    continue
                done.append(event.segment)
                if not event.segment.ok:
                    yield Note(f"not translated: the last try {event.segment.why}", "warning")
                self._translator.progress = Progress("translating", len(done), len(pieces), "segments")
                if len(done) < len(pieces):  # where Ctrl-C is heard, too
                    yield self._translator.progress
        yield Text("\n".join(lines(done, "target", pair.tgt)) + "\n")

    def _known(self, piece: Piece) -> Segment | None:
        corrected = self._corrections.of(piece)
        return None if corrected is None else Segment(piece.paragraph, piece.source, corrected, True, "")

    def _new(self, pair: Pair) -> Translator:
        loaded, session = self._loaded, self._session
        assert loaded is not None and session is not None
        if not (self._anyway and loaded.trust.translates):
            languages.allowed(pair, loaded.found.entry, loaded.name)
        chat = chat_of(loaded)
        return Translator(
            self._write or Hand(session, chat.stop_ids),
            chat,
            loaded.encoder,
            pair,
            Glossary(pair, self._given),
            window=session.shape.window,
            title="",
            seed=self._options.seed,
        )
