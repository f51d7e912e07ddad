"""Figures along the book, against a count character by character."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from longread.store import saves
from longread.tasks.surprisal import Blocks
from tests.kept import keep


def columns(tokens, nll, start, end, without=None) -> Blocks:
    blank = [math.nan] * len(tokens) if without is None else without
    return Blocks(*(np.array(column, np.float64) for column in (tokens, nll, blank, start, end)))


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.floats(0, 12), st.integers(1, 30), st.integers(0, 3)),
        min_size=1,
        max_size=12,
    ),
    st.lists(st.integers(0, 400), min_size=2, max_size=8, unique=True),
)
def test_bits_are_those_of_a_count_by_character(blocks, edges):
    """Each character of a block carries an equal part of its tokens and of its NLL."""
    tokens, nll = np.zeros(400), np.zeros(400)
    starts, ends, at = [], [], 5
    for count, bits, length, gap in blocks:
        tokens[at : at + length] += count / length
        nll[at : at + length] += count * bits * math.log(2) / length
        starts.append(at)
        ends.append(at + length)
        at += length + gap
    made = columns([b[0] for b in blocks], [b[0] * b[1] * math.log(2) for b in blocks], starts, ends)
    spans = list(pairwise(sorted(edges)))
    for (low, high), found in zip(spans, made.bits(spans), strict=True):
        amount = tokens[low:high].sum()
        if found is None:
            assert amount < 0.5 + 1e-6
        else:
            assert found == pytest.approx(nll[low:high].sum() / amount / math.log(2), abs=1e-6)


def test_perplexity_is_of_the_whole_sum_and_not_a_mean_of_perplexities():
    made = columns([10, 30], [10.0, 90.0], [0, 10], [10, 40])
    assert made.perplexity() == pytest.approx(math.exp(2.5))


def test_with_and_without_are_of_the_same_blocks():
    made = columns([10, 11, 11], [10.0, 22.0, 99.0], [0, 9, 20], [9, 20, 30], [math.nan, 30.0, math.nan])
    sampled = made.sampled()
    assert (sampled.blocks, sampled.with_) == (1, pytest.approx(math.exp(2.0)))
    assert sampled.without == pytest.approx(math.exp(3.0))
    assert columns([10], [10.0], [0], [9]).sampled() is None


def test_what_is_not_finite_is_unknown_and_never_an_error():
    made = columns([10, 10], [math.nan, 20.0], [0, 10], [10, 20])
    assert made.perplexity() is None
    assert columns([1], [1e9], [0], [5]).perplexity() > 1e300
    assert columns([0], [0.0], [0], [5]).perplexity() is None
    assert columns([0], [0.0], [0], [5]).bits([(0, 5)]) == [None]


@pytest.mark.parametrize("damage", ["short", "garbage", "missing", "column", "order"])
def test_damaged_columns_are_told(damage):
    made = keep()
    (folder,) = made.saves.iterdir()
    path = folder / "state.safetensors"
    if damage == "missing":
        path.unlink()
    elif damage in ("short", "garbage"):
        path.write_bytes(path.read_bytes()[:-7] if damage == "short" else b"\0garbage" * 50)
    else:
        from safetensors.numpy import load, save

        found = load(path.read_bytes())
        if damage == "column":
            del found["blocks.nll"]
        else:
            found["blocks.start"] = found["blocks.start"][::-1].copy()
        path.write_bytes(save(found))
    save_, _ = saves.newest(made.saves)
    found, why = Blocks.of(save_)
    assert found is None and "figures of its blocks" in why
