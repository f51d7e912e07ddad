"""How tokens are to be drawn: the wish, and what of it is out of range.

Knows temperatures, cut-offs and penalties as numbers. Draws nothing (``sampling``) and imports no torch: a
dry run asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from longread.errors import UsageError


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. Temperature 0 takes the likeliest token each time.

    ``top_k`` 0, ``top_p`` 1, ``min_p`` 0 and ``repetition_penalty`` 1 switch each off, and so
    does ``no_repeat`` 0: no run of so many tokens is written twice. Both count what was
    generated, not the prompt: a prompt is the book, and its names should come back.
    ``UsageError`` for a value out of range.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat: int = 0

    def __post_init__(self) -> None:
        allowed = {
            "temperature": (0.0 <= self.temperature < math.inf, "0 or more"),
            "top_k": (self.top_k >= 0, "0 or more"),
            "top_p": (0.0 < self.top_p <= 1.0, "above 0 and at most 1"),
            "min_p": (0.0 <= self.min_p <= 1.0, "from 0 to 1"),
            "repetition_penalty": (0.0 < self.repetition_penalty < math.inf, "above 0"),
            "no_repeat": (self.no_repeat >= 0, "0 or more"),
        }
        for name, (fits, words) in allowed.items():
            if not fits:
                flag = name.replace("_", "-")
                raise UsageError(
                    f"--{flag}: {getattr(self, name)!r} is not allowed", f"give a number {words}"
                )


GREEDY = Sampling()
