"""Sentences in, translations out: block by block, each tried until it passes the checks.

Knows how much of the book before goes into a block, how often a failed sentence is tried
again, and which names a block is told. Knows no files, no layout, and of the model only
``Write``.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from longread.engine.decode import Ended, LoopGuard, collected, generate
from longread.engine.drawing import GREEDY, Sampling
from longread.errors import ModelError, UnsupportedError
from longread.events import Event, Progress
from longread.tasks.translate.checks import Pair, cleaned, lacks, wrong
from longread.tasks.translate.conversation import Conversation, Lesson
from longread.tasks.translate.glossary import Glossary
from longread.tasks.translate.hand import Write
from longread.tasks.translate.segments import Piece, Segment, Translated

if TYPE_CHECKING:
    from longread.model.chat import Chat
    from longread.model.load import LoadedModel
    from longread.model.tokens import Encoder

BLOCK = 20  # pairs that are translated, and learned from, in one conversation
# Drawn after the first, so that the next try does not fail as the one before did.
TRIES = (
    GREEDY,
    Sampling(temperature=0.5, top_p=0.9),
    Sampling(temperature=0.9, top_p=0.95, repetition_penalty=1.1),
)
_TIMES, _MORE = 3, 24  # an answer may have so many tokens for each of its source, and so many more
_BEFORE = 1 / 3  # of the window for the pairs before, at most
_TERMS = 1 / 6  # of the window for names
_LEAST = 192  # tokens of a window that anything can be translated in
_SPAN = 48  # tokens that circles are looked for in: a sentence has no refrain


@dataclass
class Counts:
    """What was written for the segments, and why tries failed."""

    tokens: int = 0
    prompt_tokens: int = 0
    tries: int = 0
    blocks: int = 0
    unlisted: int = 0  # names for which a block's prompt had no room
    faults: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "faults": dict(self.faults)}


class Translator:
    """Translates the pieces that it is given, in order.

    Parameters
    ----------
    write
        The model.
    window
        Tokens that a block's conversation may take. ``UnsupportedError`` where it is too
        small for a sentence beside the prompt.
    title
        The book's, for the prompt.
    rounds
        How often a piece was given up before: each time it is drawn anew.
    """

    def __init__(
        self,
        write: Write,
        chat: Chat,
        encoder: Encoder,
        pair: Pair,
        glossary: Glossary,
        *,
        window: int,
        title: str,
        seed: int = 0,
        rounds: Callable[[Piece], int] = lambda piece: 0,
    ) -> None:
        self.counts = Counts()
        self.glossary = glossary
        self.progress: Progress | None = None  # repeated while writing: bars live, Ctrl-C is heard
        self._write = write
        self._chat = chat
        self._encoder = encoder
        self._special = encoder.special_ids()
        self._pair = pair
        self._window = window
        self._title = title
        self._seed = seed
        self._rounds = rounds
        self._before: deque[tuple[str, str]] = deque(maxlen=3 * BLOCK)
        own = sum(map(len, self._conversation({}).ask("")))
        if window - own < _LEAST:
            raise UnsupportedError(
                f"a window of {window} tokens is too small to translate in: the prompt alone takes {own}",
                f"use --window {own + _LEAST} or more",
            )

    def block(
        self, pieces: Sequence[Piece], known: Callable[[Piece], Segment | None]
    ) -> Generator[Event, None, tuple[int, Lesson]]:
        """Translate as many of ``pieces`` as go into one conversation, one at least, ``BLOCK`` at most.

        Yields a ``Translated`` for each and returns how many they were and what can be learned
        from them. ``known`` gives a translation that there is already.
        """
        pieces = pieces[:BLOCK]
        talk = self._opened(pieces)
        pairs: list[tuple[Piece, str]] = []
        done = 0
        for piece in pieces:
            parts = talk.ask(piece.source)
            most = _TIMES * len(self._encoder.encode(piece.source)) + _MORE
            if done and sum(map(len, parts)) + most > self._window:
                break
            segment = known(piece) or self._copied(piece)
            if segment is None:
                room = self._window - sum(map(len, parts))
                segment = yield from self._translated(piece, parts, min(most, room))
            done += 1
            yield Translated(piece.number, segment)
            if segment.ok and not piece.silent:
                pairs.append((piece, segment.target))
                talk.accept(parts, segment.target)
        self.counts.blocks += 1
        for piece, target in pairs:
            self._before.append((piece.source, target))
            self.glossary.add(piece.paragraph, piece.source, target)
        self.glossary.settle()
        return done, talk.lesson()

    def lessons(self, pairs: Sequence[tuple[str, str]]) -> list[Lesson]:
        """What can be learned from ``pairs`` by themselves, as many in one conversation as fit."""
        found: list[Lesson] = []
        talk, held = self._conversation({}), 0
        for source, target in pairs:
            size = len(self._encoder.encode(source)) + len(self._encoder.encode(target)) + _MORE
            if held and (held == BLOCK or len(talk) + size > self._window):
                found.append(talk.lesson())
                talk, held = self._conversation({}), 0
            if len(talk) + size <= self._window:
                talk.accept(talk.ask(source), target)
                held += 1
        return [*found, talk.lesson()] if held else found

    def _copied(self, piece: Piece) -> Segment | None:
        if not piece.silent:
            return None
        return Segment(piece.paragraph, piece.source, piece.source, True, "")

    def _opened(self, pieces: Sequence[Piece]) -> Conversation:
        """A conversation with the names that occur in ``pieces`` and the pairs before, as many as fit."""
        sources = [piece.source for piece in pieces]
        terms, room = {}, self._window * _TERMS
        for name, rendering in self.glossary.within(sources).items():
            room -= len(self._encoder.encode(f"\n{name} = {rendering}"))
            if room < 0:
                self.counts.unlisted += 1
            else:
                terms[name] = rendering
        # The first sentence must fit with all that its answer may take.
        first = max((len(self._encoder.encode(source)) for source in sources[:1]), default=0)
        talk = self._conversation(terms)
        room = min(self._window * _BEFORE, self._window - len(talk) - (1 + _TIMES) * first - 2 * _MORE)
        before: list[tuple[str, str]] = []
        around = talk.turn
        for source, target in reversed(self._before):
            room -= len(self._encoder.encode(source)) + len(self._encoder.encode(target)) + around
            if room < 0:
                break
            before.insert(0, (source, target))
        for source, target in before:
            talk.accept(talk.ask(source), target, counts=False)
        if before:
            talk.settle()
        return talk

    def _conversation(self, terms: dict[str, str]) -> Conversation:
        return Conversation(self._chat, self._encoder, self._pair, self._title, terms)

    def _translated(
        self, piece: Piece, parts: list[tuple[int, ...]], most: int
    ) -> Generator[Event, None, Segment]:
        """``piece`` in the best of the tries that pass; as it was where none does."""
        given, names = self.glossary.given, self.glossary.within([piece.source])
        words = self.glossary.words
        second, fault = None, "did not fit the window"
        before = self._rounds(piece)
        tries = TRIES if not before else (*TRIES[1:], TRIES[-1])
        for number, sampling in enumerate(tries if most > 0 else ()):
            seed = ((self._seed * 1_000_003 + piece.number) * 1009 + before) * 7 + number
            raw, ended = yield from self._tried(parts, most, sampling, seed)
            text = cleaned(raw, piece.source)
            fault = wrong(text, ended, self._special, piece.source, self._pair, given, words)
            if not fault:
                remark = lacks(text, piece.source, names, self._pair, words)
                found = Segment(piece.paragraph, piece.source, text, True, remark)
                if not remark:
                    return found
                # A name that the model may have had a reason to leave out: kept if no try does better.
                second, fault = second or found, remark
            self.counts.faults[fault.split(":")[0]] += 1
        return second or Segment(piece.paragraph, piece.source, piece.source, False, fault)

    def _tried(
        self, parts: list[tuple[int, ...]], most: int, sampling: Sampling, seed: int
    ) -> Generator[Event, None, tuple[str, Ended]]:
        """One try: the text, and how it ended."""
        self.counts.tries += 1
        self.counts.prompt_tokens += len(parts[-1])
        hand = self._write(parts, max_tokens=most, sampling=sampling, seed=seed)
        events = generate(hand, self._encoder.streamer(), LoopGuard(span=_SPAN))
        raw, ended = yield from collected(events, self.progress)
        self.counts.tokens += len(ended.ids)
        return raw, ended


def chat_of(loaded: LoadedModel) -> Chat:
    """The model's template; UnsupportedError where it has none that works."""
    from longread.model.chat import Chat

    try:
        return Chat(loaded.found.folder, loaded.encoder)
    except ModelError as error:
        raise UnsupportedError(error.message, "use --model with an instruction-tuned model") from None
