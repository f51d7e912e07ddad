"""A conversation without end: turns in a rolling window, and what has left it in the adapter.

Knows a head that stays as the sinks, the ids of every turn since, how one is taken back,
and how what no token can see any more is learned: the user's words, never the model's own,
which it would repeat until it said nothing else (docs/log.md). Knows token ids only: no
template, no text, no commands. The model must be attached whenever anything here runs.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from longread.engine.decode import generate_ids
from longread.engine.drawing import GREEDY, Sampling
from longread.engine.shape import Shape
from longread.memory.policy import KVPolicy, fresh_policy
from longread.memory.temp_lora import TempLora
from longread.memory.watch import Watch
from longread.model.backbone import Backbone

_KEPT = 4  # turns whose adapter can be brought back; each is three times the adapter in memory


@dataclass(frozen=True)
class Learned:
    """One block that had left the window. ``tokens`` are those of the user, ``nll`` is their mean NLL (nats)
    before the step; ``warning`` is for the user, where the watch brought an earlier adapter back."""

    tokens: int
    nll: float
    warning: str = ""


class Conversation:
    """A stream that a user and a model write in turn.

    Parameters
    ----------
    backbone
        The model. A policy of its own holds the stream's keys.
    head
        Ids that begin the stream: the template's head, or whatever a text begins with. The
        first ``shape.sinks`` of them are the sinks; where they are fewer, the first turn
        lends the rest.
    shape
        Window and sinks; ``shape.block`` is how much is learned at once.
    marks
        Ids of the template's own: they are said and never learned. An adapter that learns where answers end
        ends them sooner and sooner.
    lora
        The adapter, set and taken away between turns by whoever owns it; None for none.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: Sequence[int],
        shape: Shape,
        *,
        marks: Collection[int] = (),
        lora: TempLora | None = None,
    ) -> None:
        self.backbone = backbone
        self.shape = shape
        self._head = len(head)
        self._stream = array("i", head)
        self._marks = frozenset(marks)
        self._users = bytearray(len(head))  # 1 for each token that is the user's
        self._turns: list[int] = []  # where each began
        self._policy: KVPolicy | None = None
        self._sound = True  # whether the policy holds what the stream says
        self._learned = len(head)
        self._index = 0  # blocks learned
        self._before: deque[tuple[int, int, dict[str, Tensor]]] = deque(maxlen=_KEPT)
        self.lora = lora

    @property
    def lora(self) -> TempLora | None:
        return self._lora

    @lora.setter
    def lora(self, lora: TempLora | None) -> None:
        self._lora = lora
        self._watch = None if lora is None else Watch(lora)

    def __len__(self) -> int:
        """Tokens said so far, the head included."""
        return len(self._stream)

    @property
    def turns(self) -> int:
        return len(self._turns)

    @property
    def filled(self) -> float:
        """How much of the window is in use, 0 to 1."""
        return min(1.0, len(self._stream) / self.shape.window)

    @property
    def waiting(self) -> int:
        """Tokens that have left the window and have not been learned."""
        return max(0, self._gone() - self._learned)

    def answer(
        self,
        ids: Sequence[int],
        *,
        max_tokens: int,
        sampling: Sampling = GREEDY,
        stop_ids: Collection[int] = (),
        seed: int = 0,
    ) -> Generator[int, None, str]:
        """A new turn: ``ids`` are said, then the model writes; returns "stop" or "length".

        Closed early, the turn holds what was given out. Without ``ids`` the model goes on
        where the stream ends; ValueError where it is empty.
        """
        self._turns.append(len(self._stream))
        if not ids:
            self._policy = None  # the state after the last token was not kept: it is encoded again
        prompt = self._ready(ids)
        self._say(ids, users=1)
        self._sound = False
        with closing(
            generate_ids(
                self._policy,
                self.backbone,
                prompt,
                max_tokens=max_tokens,
                sampling=sampling,
                stop_ids=stop_ids,
                seed=seed,
            )
        ) as tokens:
            while True:
                try:
                    token = next(tokens)
                except StopIteration as end:
                    self._sound = True
                    return end.value
                self._say([token], users=0)
                # Between two tokens the policy holds all of the stream; within one, who knows.
                self._sound = True
                yield token
                self._sound = False

    def add(self, ids: Sequence[int], answer: Sequence[int] = ()) -> None:
        """Say ``ids``, and an ``answer`` that the model once gave, as a turn of their own: a saved turn, or a
        text to go on from."""
        self._turns.append(len(self._stream))
        self._say(ids, users=1)
        self._say(answer, users=0)
        self._policy = None  # made anew, from the end, when it is next needed

    def undo(self) -> bool:
        """Take the last turn back; False where there is none.

        The window is encoded anew from what was said before, and the adapter is again the
        one from before that turn if the turn taught it anything.
        """
        if not self._turns:
            return False
        start = self._turns.pop()
        del self._stream[start:], self._users[start:]
        self._learned = min(self._learned, start)
        self._policy = None
        if self._before and self._before[-1][0] >= len(self._turns):
            _, self._learned, state = self._before.pop()
            if self._lora is not None:
                self._lora.load(state)
                self._watch = Watch(self._lora)
        return True

    def settle(self) -> None:
        """The adapter has changed by other means: no ``undo`` brings an earlier one back."""
        self._before.clear()

    def learn(self) -> Iterator[Learned]:
        """Teach the adapter what of the user's words has left the window, block by block; nothing without an
        adapter.

        Each block is scored before its step, behind the sinks and the tokens that came
        before it. ``undo`` of the present turn takes all of it back.
        """
        while self._lora is not None and self.waiting >= self.shape.block:
            turn = len(self._turns) - 1
            if not self._before or self._before[-1][0] != turn:
                self._before.append((turn, self._learned, self._lora.state()))
            start, end = self._learned, self._learned + self.shape.block
            room = self.shape.window - min(self.shape.sinks, start)
            learned = self._step(start, end) if any(self._users[max(start, end - room) : end]) else None
            self._learned = end
            if learned is not None:
                yield learned

    def _step(self, start: int, end: int) -> Learned:
        sinks = min(self.shape.sinks, start)
        context = max(sinks, end - (self.shape.window - sinks))
        ids = self._tensor([*self._stream[:sinks], *self._stream[context:end]])
        start = max(start, context)  # a pass no longer than the window
        theirs = torch.tensor([*self._users[start:end]], dtype=torch.bool, device=ids.device)
        without = self._score(ids, theirs, self._lora.off()) if Watch.due(self._index) else None
        self._index += 1
        with torch.enable_grad():
            nll = self._nll(ids, theirs)
            finite = self._lora.step(nll)
        mean, warning = (
            float(nll.detach()),
            "" if finite else "a gradient was not finite; its step was skipped",
        )
        if without is not None:
            tokens = int(theirs.sum())
            warning = self._watch.judge(mean * tokens, without * tokens, tokens) or warning
        return Learned(int(theirs.sum()), mean, warning)

    def _nll(self, ids: Tensor, theirs: Tensor) -> Tensor:
        """Mean NLL of those of the last ``len(theirs)`` of ``ids`` that ``theirs`` marks. A stream's very
        first token has nothing before it and is left out."""
        n = min(len(theirs), len(ids) - 1)
        theirs = theirs[-n:]
        return self.backbone.nll(self.backbone.hidden(ids)[-n - 1 : -1][theirs], ids[-n:][theirs]).mean()

    def _score(self, ids: Tensor, theirs: Tensor, switched) -> float:
        with torch.no_grad(), switched:
            return float(self._nll(ids, theirs))

    def _say(self, ids: Sequence[int], *, users: int) -> None:
        self._stream.extend(ids)
        self._users.extend(users * (token not in self._marks) for token in ids)

    def _gone(self) -> int:
        """The first token of the stream, sinks apart, that the next one can still see."""
        return max(self._head, len(self._stream) - (self.shape.window - self.shape.sinks - 1))

    def _ready(self, ids: Sequence[int]) -> Sequence[int]:
        """What the policy, made anew if need be, must be given to hold the stream and then ``ids``."""
        wanted = min(self.shape.sinks, len(self._stream))
        if self._policy is not None and self._sound and self._policy.sinks >= wanted:
            return ids
        whole, shape = [*self._stream, *ids], self.shape
        self._policy = fresh_policy(self.backbone, window=shape.window, sinks=shape.sinks, tokens=len(whole))
        sinks = self._policy.sinks
        if sinks:
            with torch.no_grad(), self._lora.off() if self._lora is not None else nullcontext():
                self._policy.forward(self._tensor(whole[:sinks]))
                self._policy.commit()
        # The oldest keys in sight were made from tokens before them: a second window brings those back, all
        # but exactly, and exactly where the stream is no longer than that.
        return whole[max(sinks, len(self._stream) - 2 * self.shape.window) :]

    def _tensor(self, ids: Sequence[int]) -> Tensor:
        return torch.tensor([*ids], dtype=torch.int64, device=self.backbone.device)
