"""Tokens one by one into a policy, played from a recording where the policy has one.

Knows when a recording is worth making and whether it can be trusted. Knows nothing of how one is made.
"""

from __future__ import annotations

import torch
from longread_kernels import dispatch
from torch import Tensor

from longread.memory.policy import KVPolicy
from longread.model.shortage import is_shortage

NAME = "token_graph"
AFTER = 8  # tokens that are run as they come: to make a recording takes as long as some of them

# How far a played token may be from a run one, as a share of its hidden state: other sums, same mathematics.
_ALLOWED = {torch.float32: 1e-3, torch.float16: 1e-2, torch.bfloat16: 5e-2}


class Steps:
    """A policy's ``forward`` for one token at a time, without gradients.

    The adapter must stay as it is, on or off; what it has learned may change. The first token that is
    played is run as well: where the two differ, or nothing can be recorded, all are run.
    """

    def __init__(self, policy: KVPolicy) -> None:
        self._policy = policy
        self._played = None if NAME in dispatch.failed else policy.recorded()
        self._count = 0
        self._trusted = False

    def __call__(self, token: int) -> Tensor:
        """Hidden state [1, width] after ``token``; kept by the policy's ``commit``."""
        self._count += 1
        if self._played is None or self._count <= AFTER:
            return self._run(token)
        return dispatch.attempt(
            NAME,
            self._policy.backbone.device,
            lambda: self._play(token),
            lambda: self._run(token),
            instead="tokens are written more slowly",
        )

    def _run(self, token: int) -> Tensor:
        with torch.no_grad():
            return self._policy.forward(torch.tensor([token], device=self._policy.backbone.device))

    def _play(self, token: int) -> Tensor:
        expected = None if self._trusted else self._run(token)
        try:
            with torch.no_grad():
                found = self._played(token)
        except Exception as error:
            if is_shortage(error):  # memory for a token there is, for a second copy of its work there is not
                raise RuntimeError("no room for it beside the model") from None
            raise
        if expected is not None:
            apart = float((found - expected).float().norm() / expected.float().norm())
            if not apart <= _ALLOWED.get(found.dtype, 1e-3):
                raise ArithmeticError(f"a played token is {apart:.1e} away from a run one")
            self._trusted = True
        return found
