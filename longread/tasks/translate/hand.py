"""The model's hand for translations: answers to a conversation that grows turn by turn.

Knows the ids of a conversation in parts, and a KV policy that holds the ones said before.
What it computes depends on the parts alone and not on what was written before: a job that
is killed and taken up again writes what the unbroken one writes, on a CPU to the last bit.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol

from longread.engine.drawing import Sampling

if TYPE_CHECKING:
    from torch import Tensor

    from longread.engine.session import Session
    from longread.memory.policy import KVPolicy


class Write(Protocol):
    """What a stand-in must do to take the model's place."""

    def __call__(
        self, parts: Sequence[Sequence[int]], *, max_tokens: int, sampling: Sampling, seed: int
    ) -> Generator[int, None, str]:
        """Ids that answer the conversation of ``parts``, in order; returns "stop" or "length".

        The first part opens the conversation and ends in the head of the answer that is
        wanted, or that follows; each further part is an answer and what leads to the next.
        Closed early where no more ids are wanted.
        """


class Hand:
    """A model's own hand, in an open ``session``; ``stop_ids`` end an answer."""

    def __init__(self, session: Session, stop_ids: frozenset[int]) -> None:
        self._session = session
        self._stop_ids = stop_ids
        self._policy: KVPolicy | None = None
        self._held: list[tuple[int, ...]] = []
        # Of the last two parts held: their number, and the policy before the last id of that part. The
        # earlier one serves where an answer failed, and the next sentence is asked in its place.
        self._states: list[tuple[int, dict[str, Tensor]]] = []

    def forget(self) -> None:
        """The adapter has changed: what is held was made with an older one."""
        self._policy, self._held, self._states = None, [], []

    def __call__(
        self, parts: Sequence[Sequence[int]], *, max_tokens: int, sampling: Sampling, seed: int
    ) -> Generator[int, None, str]:
        """See ``Write``. ValueError for parts of which one is empty."""
        from longread.engine.decode import generate_ids

        parts = [tuple(part) for part in parts]
        if not all(parts):
            raise ValueError("a part of the conversation is empty")
        session = self._session
        off = session.lora is not None and not session.memory.answering_adapter
        with session.lora.off() if off else nullcontext():
            self._encode(parts)
            return (
                yield from generate_ids(
                    self._policy,
                    session.backbone,
                    parts[-1][-1:],
                    max_tokens=max_tokens,
                    sampling=sampling,
                    stop_ids=self._stop_ids,
                    seed=seed,
                )
            )

    def _encode(self, parts: list[tuple[int, ...]]) -> None:
        """Bring the policy to where it holds all of ``parts`` but the last id.

        Each part is encoded in one go, together with the last id of the part before: so the
        keys come out of the same products whoever asked for what before.
        """
        same = next(
            (at for at, pair in enumerate(zip(parts, self._held, strict=False)) if pair[0] != pair[1]),
            min(len(parts), len(self._held)),
        )
        self._states = [(count, state) for count, state in self._states if count <= same]
        if self._states:
            begin, state = self._states[-1]
            self._policy.load(state)
        else:
            begin, self._policy = 0, self._fresh(parts[0])
        for at in range(begin, len(parts)):
            last = parts[at - 1][-1:] if at else ()
            self._feed((*last, *parts[at][:-1]))
            if at >= len(parts) - 2:
                self._states = [*self._states[-1:], (at + 1, self._policy.state())]
        self._held = parts

    def _fresh(self, opening: tuple[int, ...]) -> KVPolicy:
        from longread.memory.policy import fresh_policy

        shape = self._session.shape
        return fresh_policy(
            self._session.backbone, window=shape.window, sinks=shape.sinks, tokens=len(opening)
        )

    def _feed(self, ids: tuple[int, ...]) -> None:
        import torch

        assert self._policy is not None
        policy = self._policy
        with torch.no_grad():
            rest = torch.tensor(ids, dtype=torch.int64, device=self._session.backbone.device)
            blocks = []
            if policy.seen == 0 and policy.sinks:
                blocks, rest = [rest[: policy.sinks]], rest[policy.sinks :]
            for block in (*blocks, *rest.split(policy.stride)):
                if len(block):
                    policy.forward(block)
                    policy.commit()
