"""Token generation on any KV policy, in three rungs: ids, then events, then text.

Knows how a prompt enters a policy, how one token follows another, when to stop and what
going in circles looks like. Knows no templates, no tasks, and nothing of how a policy
keeps its keys. Another way to decode is another function from a prompt to ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from longread.engine.drawing import GREEDY, Sampling
from longread.engine.sampling import Sampler
from longread.engine.steps import Steps
from longread.engine.thoughts import Thoughts
from longread.events import Event, Progress, Text
from longread.memory.policy import KVPolicy
from longread.model.backbone import Backbone

_BEAT = 16  # tokens between two signs of life


class Speller(Protocol):
    """What turns ids into text, one by one: ``Encoder.streamer()``."""

    def push(self, token: int) -> str:
        """The characters that ``token`` completes."""

    def finish(self) -> str:
        """What is left."""


@dataclass(frozen=True)
class Ended(Event):
    """Generation is over. ``reason`` is "stop", "length" or "loop"; ``ids`` are all that came, the first
    ``thought`` of them before the answer."""

    reason: str
    ids: tuple[int, ...]
    thought: int = 0


def generate_ids(
    policy: KVPolicy,
    backbone: Backbone,
    prompt_ids: Sequence[int],
    *,
    max_tokens: int,
    sampling: Sampling = GREEDY,
    stop_ids: Collection[int] = (),
    seed: int = 0,
) -> Generator[int, None, str]:
    """What the model writes after ``prompt_ids``, id by id; returns "stop" or "length".

    Parameters
    ----------
    policy
        Fresh, or with a text already read; the prompt is appended to it. A fresh one takes
        the prompt's first tokens as its sinks.
    backbone
        The policy's own, attached; the adapter is on or off as the caller has it.
    max_tokens
        The most ids that are written.
    stop_ids
        Ids that end the text; they are neither given out nor kept.

    Every id is kept by the policy before it is given out: whenever the caller stops, the
    policy holds the prompt and what was given out. ValueError for an empty prompt, or one
    that is shorter than a fresh policy's sinks.
    """
    last = _read(policy, prompt_ids, backbone.device)
    sampler, step, written = Sampler(sampling, seed), Steps(policy), []
    while len(written) < max_tokens:
        with torch.no_grad():  # never across a yield: the mode would be the caller's too
            token = sampler.pick(backbone.logits(last)[-1], written)
            if token in stop_ids:
                return "stop"
            last = step(token)
            policy.commit()
        written.append(token)
        yield token
    return "length"


def _read(policy: KVPolicy, prompt_ids: Sequence[int], device: torch.device) -> Tensor:
    """Put the prompt into ``policy``; the last hidden state [1, width]."""
    ids = torch.tensor(list(prompt_ids), dtype=torch.int64, device=device)
    if not len(ids):
        raise ValueError("generation needs a prompt of at least one token")
    parts = [ids]
    if policy.seen == 0 and policy.sinks:
        if len(ids) < policy.sinks:
            raise ValueError(f"a prompt of {len(ids)} tokens is shorter than the {policy.sinks} sinks")
        parts = [ids[: policy.sinks], ids[policy.sinks :]]
    hidden = None
    with torch.no_grad():
        for part in parts:
            for block in part.split(policy.stride) if len(part) else ():
                hidden = policy.forward(block)
                policy.commit()
    return hidden[-1:]


class LoopGuard:
    """Sees when a text goes in circles.

    A token is stale if it ends an ``n``-gram that the last ``reach`` tokens already had. A
    text loops when ``share`` of its last ``span`` tokens are stale: repetition of any period
    below ``reach``, also with a word changed here and there. A song with a refrain does not.
    """

    def __init__(self, *, n: int = 4, span: int = 128, share: float = 0.65, reach: int = 512) -> None:
        self._limit = share * span
        self._last: deque[int] = deque(maxlen=n)
        self._place: dict[tuple[int, ...], int] = {}  # where each n-gram was last met
        self._stale: deque[bool] = deque(maxlen=span)
        self._reach = reach
        self._count = 0

    def push(self, token: int) -> bool:
        """Whether the text loops now that ``token`` has come."""
        self._count += 1
        self._last.append(token)
        if len(self._last) == self._last.maxlen:
            gram = tuple(self._last)
            before = self._place.get(gram)
            self._stale.append(before is not None and self._count - before <= self._reach)
            self._place[gram] = self._count
        return sum(self._stale) >= self._limit


def generate(
    ids: Iterable[int], speller: Speller, guard: LoopGuard | None = None
) -> Generator[Event, None, None]:
    """``Text`` as soon as its characters are complete, and ``Ended`` last.

    ``ids`` is what ``generate_ids`` gives; it is closed however this ends. ``guard`` ends
    it when it loops. What a model thinks before it answers is among the ids and no ``Text``; while
    it does, ``Progress`` tells that it goes on.
    """
    source, written, reason = iter(ids), [], ""
    thoughts, thought = Thoughts(), 0
    try:
        while not reason:
            try:
                token = next(source)
            except StopIteration as end:
                reason = end.value or "stop"
                break
            written.append(token)
            before = thoughts.going_on
            piece = thoughts.push(speller.push(token))
            thought = len(written) if before or thoughts.going_on else thought
            if piece:
                yield Text(piece)
            elif thoughts.going_on and len(written) % _BEAT == 0:
                yield Progress("thinking", len(written), 0, "tokens")
            if guard is not None and guard.push(token):
                reason = "loop"
        rest = thoughts.push(speller.finish()) + thoughts.finish()
        if rest:
            yield Text(rest)
        yield Ended(reason, tuple(written), thought)
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()


def collected(
    events: Generator[Event, None, None], beat: Event | None = None
) -> Generator[Event, None, tuple[str, Ended]]:
    """The text among ``generate``'s events and how it ended. ``beat`` is given out while it comes, in place
    of what ``generate`` tells of its progress, so that bars live and Ctrl-C is heard."""
    pieces: list[str] = []
    ended = Ended("stop", ())
    with closing(events):
        for event in events:
            if isinstance(event, Ended):
                ended = event
            elif isinstance(event, Text):
                pieces.append(event.text)
                if beat is not None and len(pieces) % _BEAT == 0:
                    yield beat
            elif beat is not None:
                yield beat
    return "".join(pieces), ended
