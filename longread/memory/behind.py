"""Learning from tokens that are encoded again behind what came before them.

Knows an adapter and a model. Knows no cache, no recipe, and not where the tokens came from.
"""

from __future__ import annotations

import torch
from torch import Tensor

from longread.memory.temp_lora import TempLora
from longread.model.backbone import Backbone


def learn_behind(lora: TempLora, backbone: Backbone, whole: Tensor, n: int, steps: int) -> bool:
    """Take ``steps`` on the last ``n`` tokens of ``whole`` [m]; what precedes them is left out of the loss.

    False if a gradient was not finite and its step was skipped.
    """
    finite = True
    n = min(n, len(whole) - 1)  # nothing predicts a stream's very first token
    with lora.dropping_out(), torch.enable_grad():
        for _ in range(steps):
            hidden = backbone.hidden(whole)[-n - 1 : -1]
            finite &= lora.step(backbone.nll(hidden, whole[-n:]).mean())
    return finite
