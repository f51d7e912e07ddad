"""One text at a time: a prompt in, a sound text of about the right length out.

Knows how a prompt is made to fit the window, how often a failed text is tried again, and
what is counted. Knows no reading, and of the model only ``Write``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from longread.engine.decode import LoopGuard, collected, generate
from longread.engine.drawing import GREEDY, Sampling
from longread.errors import ModelError, UnsupportedError
from longread.events import Event, Progress
from longread.model.chat import Chat, Message
from longread.model.tokens import Encoder
from longread.tasks import prompts
from longread.tasks.abstract.guards import fault, prose, repeats
from longread.tasks.abstract.lengths import Meter

# The second try is drawn, so that it does not fail as the first did.
TRIES = (GREEDY, Sampling(temperature=0.7, top_p=0.9, repetition_penalty=1.1))
LEAST_ROOM = 160  # tokens beside a prompt's own words
_TITLE = 60  # characters of a title that go into a prompt
_SPAN = 64  # a note has no refrain, and few tokens to find a loop in


class Write(Protocol):
    """A model's hand: the ids that it writes after a prompt."""

    def __call__(
        self, prompt_ids: list[int], *, max_tokens: int, sampling: Sampling, seed: int
    ) -> Iterator[int]:
        """At most ``max_tokens`` ids; closed when no more are wanted."""


@dataclass
class Counts:
    """What was written. ``replaced`` texts were put together from sentences that exist; ``faults``
    says how often what went wrong."""

    notes: int = 0
    merged: int = 0
    tokens: int = 0
    prompt_tokens: int = 0
    retried: int = 0
    replaced: int = 0
    cut: int = 0
    faults: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "faults": dict(self.faults)}


class Writer:
    """Writes what the prompts in ``tasks/prompts`` ask for.

    Parameters
    ----------
    write
        The model.
    window
        Tokens that a prompt and its answer may take together.
    title, chapters
        The book's; the longest chapter title counts against the window in every prompt.
    """

    def __init__(
        self,
        write: Write,
        chat: Chat,
        encoder: Encoder,
        meter: Meter,
        *,
        window: int,
        title: str,
        chapters: list[str],
        seed: int = 0,
    ) -> None:
        self.counts = Counts()
        self.meter = meter
        self.progress: Progress | None = None  # repeated while a text is written: bars live, Ctrl-C is heard
        self._write = write
        self._chat = chat
        self._encoder = encoder
        self._special = encoder.special_ids()
        self._window = window
        self._title = title[:_TITLE]
        self._longest = max((chapter[:_TITLE] for chapter in chapters), key=meter.tokens, default="")
        self._seed = seed

    def room(self, *names: str) -> int:
        """Tokens that the prompts ``names`` leave for what goes into them and for the answer.

        ``UnsupportedError`` where the window is too small to write in.
        """
        empty = {"before": "", "source": "", "length": f"{10_000:,} {self.meter.unit}"}
        own = max(len(self._ids(name, chapter=self._longest, **empty)) for name in names)
        room = self._window - own - 8  # seams
        if room < LEAST_ROOM:
            raise UnsupportedError(
                f"a window of {self._window} tokens is too small to write in: the prompt alone takes {own}",
                f"use --window {own + LEAST_ROOM + 8} or more, or --style extract",
            )
        return room

    def text(
        self, name: str, *, chapter: str, before: str, source: str, length: int
    ) -> Generator[Event, None, str]:
        """A text of about ``length``, 1.2 times at most if its sentences allow; "" if both tries failed.

        ``ModelError`` from a model that has not written anything yet; later it is a fault like others.
        """
        answer = self.meter.answer(length)
        ids = self._fitting(name, chapter[:_TITLE], before, source, length, answer)
        source_tokens = self.meter.tokens(source)
        for number, sampling in enumerate(TRIES):
            self.counts.retried += number
            self.counts.prompt_tokens += len(ids)
            seed = self._seed * 1_000_003 + self.counts.prompt_tokens  # another one for every text
            hand = self._write(ids, max_tokens=answer, sampling=sampling, seed=seed)
            events = generate(hand, self._encoder.streamer(), LoopGuard(span=_SPAN, share=0.6))
            try:
                raw, ended = yield from collected(events, self.progress)
            except ModelError as error:
                if not self.counts.tokens:  # it may never write: nothing is lost yet, and there is a hint
                    raise
                self.counts.faults[f"failed, {error}"] += 1
                continue
            self.counts.tokens += len(ended.ids)
            text = prose(raw, self.meter.joint)
            whole = self.meter.sentences(text)
            if ended.reason == "length":
                whole = whole[:-1]  # its last sentence was cut off in the middle
            wrong = fault(raw, ended, self._special, source)
            if not wrong and not text:
                wrong = "was empty"
            # In tokens, since the two may be in different languages.
            if not wrong and self.meter.tokens(text) > source_tokens:
                wrong = "was longer than its source"
            if not wrong and not whole:
                wrong = "never ended a sentence"
            if not wrong and repeats(whole):
                wrong = "said one thing again and again"
            if not wrong:
                text = self.meter.join(whole)
                return self.meter.trimmed(text, length) if self.meter.length(text) > 1.2 * length else text
            self.counts.faults[wrong] += 1
        return ""

    def _fitting(
        self, name: str, chapter: str, before: str, source: str, length: int, answer: int
    ) -> list[int]:
        """The prompt, so that it and the answer fit the window: what came before goes first, then the end
        of the source, which is counted."""
        asked = f"{length:,} {self.meter.unit}"
        while True:
            ids = self._ids(name, chapter=chapter, before=before, source=source, length=asked)
            over = len(ids) + answer - self._window
            if over <= 0:
                return ids
            if before:
                before = self.meter.join(self.meter.sentences(before)[1:])
                continue
            if not source:
                raise UnsupportedError(
                    f"a window of {self._window} tokens is too small to write in", "use --window N"
                )
            self.counts.cut += 1
            shorter = self.meter.shortened(source, max(1, self.meter.tokens(source) - over))
            source = shorter if len(shorter) < len(source) else source[: len(source) // 2]

    def _ids(self, name: str, **fields: str) -> list[int]:
        language = prompts.language_name(self.meter.language)
        system, user = prompts.prompt(name).fill(title=self._title, language=language, **fields)
        return self._chat.ids([Message("system", system), Message("user", user)])
