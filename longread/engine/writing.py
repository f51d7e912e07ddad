"""Writing on where a reading ends: a block is written, the adapter learns it, the next is written.

The loop of Temp-LoRA (arXiv 2401.11504, algorithm 1) on any KV policy. Knows the stream's
last tokens, when a block is full, how it is learned and when the window's keys are made
anew. Knows token ids only: no text, and not where a text should stop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Generator, Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from longread.engine.decode import Ended, LoopGuard, Speller
from longread.engine.drawing import Sampling
from longread.engine.sampling import Sampler
from longread.engine.session import Session
from longread.engine.steps import Steps
from longread.events import Event, Note, Text
from longread.memory.behind import learn_behind
from longread.model.shortage import is_shortage, release

REACH = 512  # tokens within which something counts as said again; in 20,000, every word was said before
_RUN = 4  # tokens in a row that are not written twice while a circle is being broken
_BREAK = 256  # tokens for which that holds
_CHANCES = 3  # circles one after another that are broken; the next one ends it


class Pick(Protocol):
    """What chooses a token: ``Sampler``."""

    def pick(self, logits: Tensor, generated: Sequence[int]) -> int:
        """The next id from ``logits`` [vocabulary], after the ids ``generated`` lately."""


class Writing:
    """The stream of a session that has read a text, and goes on.

    The last token is held back from the policy until the next one is asked for: by then its
    block may have been learned, and it is run with the adapter as it is afterwards.

    Parameters
    ----------
    session
        Open, with at least one block read. Nothing that happens here is told to it: what its
        reading keeps on disk must have been saved before.
    past
        The last ids that it read, a window of them if there are as many.
    learn
        Whether the adapter, if there is one, learns what is written.
    reuse
        Blocks after which the window's keys, made by older states of the adapter, are made
        anew; None waits until what was written since fills the window.
    """

    def __init__(
        self, session: Session, past: Sequence[int], *, learn: bool = True, reuse: int | None = None
    ) -> None:
        if session.policy is None or session.last is None:
            raise ValueError("there is nothing to go on from: the session has read no block")
        self._session, self._policy, self._backbone = session, session.policy, session.backbone
        self._step = Steps(session.policy)
        self._lora = session.lora if learn else None
        self._size = session.shape.block
        window = self._policy.window - self._policy.sinks
        known = min(len(past), self._policy.seen - self._policy.sinks)  # what the sinks borrowed is theirs
        self._past: deque[int] = deque(past[len(past) - known :], maxlen=window)
        self._lately: deque[int] = deque(maxlen=REACH)
        self._hidden: Tensor | None = session.last
        self._new = 0  # tokens since the last block was full
        self._spoiled = False
        self._changed = False  # whether the adapter is another than when the window was encoded
        self._age, self._oldest = 0, -(-(window - 1) // self._size)  # in blocks
        if reuse is not None:
            self._oldest = min(self._oldest, max(1, reuse))
        self.written = 0  # tokens chosen
        self.learned = 0  # tokens learned
        self.skipped = 0  # blocks whose gradient was not finite
        self.encoded = 0  # times that the window's keys were made anew
        self.short = False  # whether memory ran out, so that nothing is learned any more

    @property
    def last(self) -> int | None:
        """The stream's last token; None where none is known."""
        return self._past[-1] if self._past else None

    def token(self, sampler: Pick) -> int:
        """The next token, chosen by ``sampler`` and kept."""
        self._turn()
        with torch.no_grad():
            token = sampler.pick(self._backbone.logits(self._run([]))[-1], self._lately)
        self._keep([token])
        self._lately.append(token)
        self.written += 1
        return token

    def say(self, ids: Sequence[int]) -> Tensor:
        """Go on with ``ids``, which are given and not chosen; learned as what is written is.

        Returns their NLL [n] float32 (nats), each measured before its block was learned.
        """
        found, at = [torch.zeros(0)], 0
        while at < len(ids):
            self._turn()
            part = list(ids[at : at + self._size - self._new])
            at += len(part)
            with torch.no_grad():
                found.append(self._backbone.nll(self._run(part[:-1]), self._tensor(part)).cpu())
            self._keep(part)
        return torch.cat(found)

    def spoil(self) -> None:
        """The block at hand is not worth learning: a circle that is learned is walked for good."""
        self._spoiled = True

    def _run(self, ids: list[int]) -> Tensor:
        """Hidden states [len(ids) + 1, width]: after the stream's last token, and after each of ``ids``."""
        if self._hidden is None:
            ids = [self._past[-1], *ids]
        states = [] if self._hidden is None else [self._hidden]
        if ids:
            one = len(ids) == 1
            states.append(self._step(ids[0]) if one else self._policy.forward(self._tensor(ids)))
            self._policy.commit()
        return torch.cat(states)

    def _keep(self, ids: list[int]) -> None:
        self._hidden = None
        self._past.extend(ids)
        self._new += len(ids)

    def _turn(self) -> None:
        """Once a block is full, learn from it; now and then, make the window's keys anew.

        The watch is not asked: a model always finds its own words likelier than another's.
        """
        if self._new < self._size:
            return
        if not self._spoiled:
            self._learn()
        self._new, self._spoiled = 0, False
        self._age += 1
        if self._changed and self._age >= self._oldest:
            with torch.no_grad():
                self._policy.reencode(self._tensor([*self._past][:-1]))
            self._age, self._changed = 0, False
            self.encoded += 1

    def _learn(self) -> None:
        """Learn the block behind the window's tokens before it. Where memory runs out each layer runs twice
        from here on; where that does not help, nothing more is learned and what is written goes on."""
        whole = torch.cat((self._session.first, self._tensor(self._past)))
        # A block may be longer than the window, of which the sinks are no part.
        n = min(self._new, len(self._past))
        while self._lora is not None:
            try:
                finite = learn_behind(self._lora, self._backbone, whole, n, self._session.recipe.steps)
            except Exception as error:
                if not is_shortage(error):
                    raise
            else:
                self.learned += n
                self.skipped += not finite
                self._changed = True
                return
            release()  # not in the handler: there the error's traceback holds the pass that failed
            if self._backbone.checkpointed:
                self._lora, self.short = None, True
            self._backbone.checkpointed = True

    def _tensor(self, ids: Collection[int]) -> Tensor:
        return torch.tensor([*ids], dtype=torch.int64, device=self._backbone.device)


def write(
    writing: Writing,
    speller: Speller,
    *,
    max_tokens: int,
    sampling: Sampling,
    seed: int = 0,
    never: Collection[int] = (),
) -> Generator[Event, None, None]:
    """What comes next: ``Text`` as soon as its characters are complete, ``Ended`` last.

    Where the text goes in circles, runs of tokens said before are forbidden for a while and a
    ``Note`` says so; circle after circle ends it with the reason "loop". The ids ``never``
    are not written. Closed early, it leaves ``writing`` with what was given out.
    """
    usual = Sampler(sampling, seed, never)
    other = Sampler(replace(sampling, no_repeat=_RUN), seed, never)
    guard, forbidden, circles, calm = LoopGuard(reach=REACH), 0, 0, 0
    written, reason, told = [], "length", False
    while len(written) < max_tokens:
        token = writing.token(other if forbidden else usual)
        written.append(token)
        if writing.short and not told:
            told = True
            yield Note("memory ran out: what is written is no longer learned", "warning")
        piece = speller.push(token)
        if piece:
            yield Text(piece)
        forbidden, calm = max(0, forbidden - 1), calm + 1
        if calm > 4 * _BREAK:
            circles = 0
        if guard.push(token):
            writing.spoil()
            circles, calm = circles + 1, 0
            if circles > _CHANCES:
                reason = "loop"
                break
            yield Note("the text went in circles; it goes on without what was just said")
            guard, forbidden = LoopGuard(reach=REACH), _BREAK
    rest = speller.finish()
    if rest:
        yield Text(rest)
    yield Ended(reason, tuple(written))
