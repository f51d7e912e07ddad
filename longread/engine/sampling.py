"""Choosing the next token from a model's scores.

Knows temperatures, cut-offs, penalties and seeds, as transformers' own processors compute
them. Knows no model and no cache.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from longread.engine.drawing import GREEDY, Sampling
from longread.errors import ModelError

__all__ = ["GREEDY", "Sampler", "Sampling"]


class Sampler:
    """Draws tokens one by one; the same scores and seed give the same tokens, on any device.

    The ids ``never`` are not drawn.
    """

    def __init__(self, sampling: Sampling, seed: int = 0, never: Collection[int] = ()) -> None:
        from transformers import generation as hf

        # In the order of transformers' own generate().
        self._processors = hf.LogitsProcessorList()
        if sampling.repetition_penalty != 1.0:
            self._processors.append(hf.RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)))
        if sampling.no_repeat:
            self._processors.append(hf.NoRepeatNGramLogitsProcessor(sampling.no_repeat))
        if never:
            self._processors.append(hf.SuppressTokensLogitsProcessor(sorted(never)))
        self._greedy = sampling.temperature == 0.0
        if not self._greedy:
            self._processors.append(hf.TemperatureLogitsWarper(float(sampling.temperature)))
            if sampling.top_k:
                self._processors.append(hf.TopKLogitsWarper(sampling.top_k))
            if sampling.top_p < 1.0:
                self._processors.append(hf.TopPLogitsWarper(sampling.top_p))
            if sampling.min_p > 0.0:
                self._processors.append(hf.MinPLogitsWarper(sampling.min_p))
        # On the CPU, where one seed means one sequence of numbers on every machine.
        self._generator = torch.Generator().manual_seed(seed % 2**63)

    def pick(self, logits: Tensor, generated: Sequence[int]) -> int:
        """The next id from ``logits`` [vocabulary], after the ids ``generated`` so far.

        ``ModelError`` where the scores are no numbers.
        """
        scores = logits.detach().float().cpu()[None]
        if bool(scores.isnan().any()):
            raise ModelError("the model's scores are not numbers", "use --dtype float32")
        if len(self._processors):
            scores = self._processors(torch.tensor([list(generated)], dtype=torch.int64), scores)
        if self._greedy:
            return int(scores.argmax())
        chances = scores[0].double().softmax(-1)
        return int(torch.multinomial(chances, 1, generator=self._generator))
