"""The watch over a learning adapter: is reading with it still better than without?

Knows pairs of scores and the last state that did well. Knows nothing of how either
was measured.
"""

from __future__ import annotations

from torch import Tensor

from longread.memory.temp_lora import TempLora

EVERY = 16
PATIENCE = 3
LEAST = 64  # tokens to a verdict: over a handful the better adapter loses nearly as often as it wins


class Watch:
    """Brings the last good adapter back, at half the rate, when it has been worse three times running.

    A rate three times too high took one trial from perplexity 69 to 944 in spite of
    clipping: learning while reading has no validation set but the text to come.
    """

    def __init__(self, lora: TempLora) -> None:
        self._lora = lora
        self._good = lora.state()
        self._worse = 0
        self._open = [0.0, 0.0, 0]  # both sums, and their tokens, of a verdict that has too few

    @staticmethod
    def due(index: int) -> bool:
        """Whether block ``index`` is also to be scored without the adapter."""
        return index % EVERY == EVERY - 1

    def judge(self, with_adapter: float, without: float, tokens: int) -> str | None:
        """Take note of two sums of NLL over the same ``tokens``; words for the user if the adapter was reset.

        Where they are few, they wait for those of the next time.
        """
        self._open = [a + b for a, b in zip(self._open, (with_adapter, without, tokens), strict=True)]
        with_adapter, without, tokens = self._open
        if tokens < LEAST:
            return None
        self._open = [0.0, 0.0, 0]
        if with_adapter <= without:
            self._worse = 0
            self._good = self._lora.state()
            return None
        self._worse += 1
        if self._worse < PATIENCE:
            return None
        rate = self._lora.rate / 2
        self._lora.load(self._good)
        self._lora.rate = rate
        self._worse = 0
        return (
            f"the adapter read worse than the model alone {PATIENCE} times running: "
            f"its last good state is back and learns at half the rate ({rate:.1e})"
        )

    def state(self) -> dict[str, Tensor]:
        """The last good adapter and the count of bad verdicts since, as tensors by name."""
        import torch

        waiting = {f"open.{i}": torch.tensor(n, dtype=torch.float64) for i, n in enumerate(self._open)}
        return {
            "worse": torch.tensor(self._worse),
            **waiting,
            **{f"good.{k}": v for k, v in self._good.items()},
        }

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up a ``state``."""
        self._worse = int(state["worse"])
        self._open = [state[f"open.{i}"].item() for i in range(3)] if "open.0" in state else [0.0, 0.0, 0]
        self._good = {k.removeprefix("good."): v for k, v in state.items() if k.startswith("good.")}
