"""The states of torch's random generators: the CPU's, and those of the cards at work.

Knows how to note and to bring back what the next draw follows from. Knows nothing of what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def cards(device: torch.device) -> list[int]:
    """The numbers of the cards that a model on ``device`` may draw on: layers may lie on any of them."""
    return list(range(torch.cuda.device_count())) if device.type == "cuda" else []


def randomness(device: torch.device) -> dict[str, Tensor]:
    """The generators' states as tensors by name."""
    return {"random": torch.get_rng_state()} | {
        f"random_card{card}": torch.cuda.get_rng_state(card) for card in cards(device)
    }


def bring_back(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Set the generators to a ``randomness``; a card of which it knows nothing stays as it is."""
    torch.set_rng_state(state["random"].cpu())
    for card in cards(device):
        if f"random_card{card}" in state:
            torch.cuda.set_rng_state(state[f"random_card{card}"].cpu(), card)
