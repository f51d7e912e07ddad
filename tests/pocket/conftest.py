"""Rows that a tiny model learns in seconds, and steps of a few of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from longread.pocket.train import run
from longread.pocket.train.batches import Share


@pytest.fixture
def rows(tmp_path) -> Path:
    """Rows in which each token follows from the one before; marks as a conversation's."""
    folder = tmp_path / "rows"
    folder.mkdir()
    chance = np.random.default_rng(0)
    for source, length in (("en", 1024), ("zh", 1024), ("lessons", 512), ("pairs", 256)):
        for held in ("", "-held"):
            begin = chance.integers(5, 61, (12, 1))
            ids = ((begin + 7 * np.arange(length)) % 56 + 5).astype(np.uint16)
            tensors = {"ids": ids}
            if source in ("lessons", "pairs"):
                tensors["marks"] = chance.integers(0, 3, ids.shape).astype(np.uint8)
            save_file(tensors, folder / f"{source}{held}.safetensors")
    return folder


@pytest.fixture
def small(monkeypatch) -> None:
    """A few rows a step."""
    monkeypatch.setattr(run, "STABLE", (Share("en", 16, 2), Share("pairs", 16, 1)))
    monkeypatch.setattr(run, "DECAY", (Share("en", 32, 1), Share("pairs", 16, 1)))
    monkeypatch.setattr(run, "HELD", (Share("en", 16, 2),))
