"""The model's own words in a chat: answers in its template, or prose that goes on.

Knows how a turn becomes ids and the ids of an answer text, in a window that never ends.
Knows no commands, and finds no passages: it is given those that belong to a turn.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from typing import Any

from longread.engine.conversation import Conversation
from longread.engine.decode import Ended, LoopGuard, generate
from longread.engine.drawing import Sampling
from longread.engine.shape import shape_for
from longread.errors import Interrupted, UsageError
from longread.events import Event, Note, Text
from longread.model.chat import Chat
from longread.model.load import LoadedModel
from longread.model.turns import Turns
from longread.tasks import prompts
from longread.tasks.chat.transcript import Turn
from longread.tasks.chat.workbench import Workbench

# Cool enough to keep to the passages in an answer, warmer where prose goes on.
ANSWER = Sampling(temperature=0.6, top_p=0.9)
PROSE = Sampling(temperature=0.8, top_p=0.95, repetition_penalty=1.1)
LONGEST = 1024  # tokens of an answer
PIECE = 200  # tokens that /continue writes


class Voice:
    """A model that speaks. ``tail`` is the text that prose goes on from, "" for none.

    A model that is trusted to chat has its template's head, with ``title`` in it where
    there is a book, in the sinks. ``ModelError`` for a template that cannot be used.
    """

    def __init__(
        self, bench: Workbench, *, title: str = "", tail: str = "", turns: Sequence[Turn] = ()
    ) -> None:
        assert bench.loaded is not None
        self._bench = bench
        self._loaded: LoadedModel = bench.loaded
        encoder = self._loaded.encoder
        self._turns: Turns | None = None
        if self._loaded.trust.chats:
            system, _ = prompts.prompt("chat").fill(title=title, source="", said="") if title else ("", "")
            self._turns = Turns(Chat(self._loaded.found.folder, encoder), system)
        backbone, memory = self._loaded.backbone, bench.options.memory
        head = list(self._turns.head if self._turns else self._loaded.prefix)
        shape = shape_for(backbone, memory, len(head), learned_sink=self._loaded.learned_sink)
        if tail and self._turns is None:
            head += encoder.encode(tail)[-(shape.window - shape.sinks - 1) :]
        self.conversation = Conversation(backbone, head, shape, marks=encoder.special_ids())
        self.speed: float | None = None  # tokens a second of the last answer
        for turn in turns:
            self._remember(turn)

    def room(self, text: str = "") -> int:
        """Tokens of passages that may go with ``text``: a third of the window, less where that is long."""
        window = self.conversation.shape.window
        return max(0, min(window // 3, window * 2 // 3 - len(self._loaded.encoder.encode(text))))

    def say(self, text: str, passages: Sequence[Mapping[str, Any]] = ()) -> Generator[Event, None, str]:
        """Answer ``text``, streaming; returns the answer. For a model that is trusted to chat."""
        assert self._turns is not None
        ids = self._turns.turn(self._user(text, passages), first=self.conversation.turns == 0)
        shape = self.conversation.shape
        if len(ids) >= shape.window - shape.sinks:
            yield Note(
                f"that has {len(ids):,} tokens and the model sees {shape.window:,}: the beginning is lost",
                "warning",
            )
        return (yield from self._write(ids, ANSWER, LONGEST, self._turns.stop_ids))

    def go_on(self, words: str = "") -> Generator[Event, None, str]:
        """Write on from where the stream ends, after ``words`` if there are any; returns what was written.

        ``UsageError`` where there is nothing to go on from.
        """
        if self._turns is not None and not self.conversation.turns:
            raise UsageError("nothing has been said yet", "say something first")
        if not words and len(self.conversation) <= len(self._loaded.prefix):
            raise UsageError("there is nothing to go on from", "/open FILE first, or /continue TEXT")
        stops = self._turns.stop_ids if self._turns else self._loaded.encoder.special_ids()
        return (yield from self._write(self._onward(words), PROSE, PIECE, stops))

    def undo(self, turn: Turn) -> None:
        """Take ``turn``, the last one, back; one that another model had is not in this stream."""
        if turn.kind == "continue" or (turn.kind == "chat" and self._turns is not None):
            self._tie()
            self.conversation.undo()

    def learn(self) -> Iterator[Event]:
        """The adapter learns what of the user's words has left the window."""
        self._tie()
        for block in self.conversation.learn():
            if block.warning:
                yield Note(block.warning, "warning")

    def _write(
        self, ids: Sequence[int], sampling: Sampling, most: int, stops: frozenset[int]
    ) -> Generator[Event, None, str]:
        self._tie()
        seed = self._bench.options.seed * 1_000_003 + len(self.conversation)
        source = self.conversation.answer(ids, max_tokens=most, sampling=sampling, stop_ids=stops, seed=seed)
        pieces: list[str] = []
        turns = self.conversation.turns
        reason, before, began = "stopped", len(self.conversation), 0.0
        try:
            with closing(generate(source, self._loaded.encoder.streamer(), LoopGuard())) as events:
                for event in events:
                    if isinstance(event, Ended):
                        reason = event.reason
                    elif isinstance(event, Text):
                        if not began:  # what came before the first word was reading, not writing
                            began, before = time.perf_counter(), len(self.conversation)
                        pieces.append(event.text)
                    if not isinstance(event, Ended):
                        yield event
        except Interrupted:
            pass  # what was said stays said
        except BaseException:  # it is in no log, and nobody could take it back
            if self.conversation.turns > turns:
                self.conversation.undo()
            raise
        written = len(self.conversation) - before
        if began and written > 1:
            self.speed = written / max(time.perf_counter() - began, 1e-9)
        text = "".join(pieces)
        if not text.strip():
            self.conversation.undo()
        with suppress(Interrupted):  # too late: what was said must come into the log
            yield from _remark(reason, text)
        return text

    def _tie(self) -> None:
        """The conversation under the adapter as it is now, the model attached."""
        lora = self._bench.session().lora
        if self.conversation.lora is not lora:
            self.conversation.lora = lora
            self.conversation.settle()

    def _user(self, text: str, passages: Sequence[Mapping[str, Any]]) -> str:
        if not passages:
            return text
        source = "\n".join(f"-----\n[{item['rank']}] {item['text']}" for item in passages) + "\n-----"
        return prompts.prompt("chat").fill(title="", source=source, said=text)[1]

    def _onward(self, text: str) -> list[int]:
        """Ids of a text that goes on from another."""
        if not text:
            return []
        return self._loaded.encoder.cutter.onward.encode(text, add_special_tokens=False).ids

    def _remember(self, turn: Turn) -> None:
        """A turn of an earlier day."""
        if turn.kind == "chat" and self._turns is not None:
            said = self._user(turn.said, turn.evidence)
            ids = self._turns.turn(said, first=self.conversation.turns == 0)
            self.conversation.add(ids, self._onward(turn.answer))
        elif turn.kind == "continue":
            words, whole = self._onward(turn.said), self._onward(turn.said + turn.answer)
            self.conversation.add(whole[: len(words)], whole[len(words) :])


def _remark(reason: str, text: str) -> Iterator[Event]:
    if reason == "loop":
        yield Note("it went in circles and was stopped; /undo takes this back")
    elif reason == "length" and text.strip():
        yield Note("/continue goes on from here")
    elif reason == "length":
        yield Note("it thought up to the limit and came to no answer; ask again, or use another model")
    elif reason == "stopped":
        yield Note("stopped")
    elif not text.strip():
        yield Note("the model has nothing to add")
