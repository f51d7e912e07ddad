"""What choosing among very many sentences does not do: counted, not timed."""

from __future__ import annotations

import random

import numpy as np
import pytest

from longread.tasks.extract import Collector, Mark, Traits
from longread.tasks.extract.choice import _NEAR, _Picks
from tests.tasks.extracting import add


class Walked(list):
    """A list that counts what is taken out of it."""

    taken = 0

    def __iter__(self):
        for one in super().__iter__():
            Walked.taken += 1
            yield one

    def __getitem__(self, at):
        Walked.taken += 1
        return super().__getitem__(at)


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    Walked.taken = 0


def test_a_candidate_is_not_compared_with_all_that_share_common_words() -> None:
    picks, common = _Picks(), range(1, 5)
    for row in range(1000):
        picks.take(row, 20, False, frozenset((*common, *range(10 * row + 100, 10 * row + 106))))
    picks.said = {gram: Walked(holders) for gram, holders in picks.said.items()}
    assert not picks.repeat(frozenset((*common, *range(50_000, 50_006))))
    assert picks.repeat(frozenset((*common, 7300, *range(50_000, 50_005))))
    assert Walked.taken < 10


def test_what_repeats_is_what_shares_too_many_words_with_one_sentence() -> None:
    chance, seen = random.Random(0), set()
    picks, chosen = _Picks(), []
    for row in range(600):
        # Some words are far commoner than others, as in any text.
        words = frozenset(int(300 ** chance.random()) for _ in range(chance.randint(0, 14)))
        expected = any(len(words & other) > _NEAR * len(words) for other in chosen)
        assert picks.repeat(words) == expected
        seen.add(expected)
        if not expected:
            picks.take(row, 10, False, words)
            chosen.append(words)
    assert seen == {True, False}


def test_vectors_are_fetched_by_the_block_and_in_the_order_asked_for() -> None:
    collected = Collector(4)
    given = np.random.default_rng(0).standard_normal((5000, 4))
    for place, vector in enumerate(given):
        add(collected, Traits(12, Mark(0), (), ()), place * 100, place * 100 + 90, None, vector, 3.0, 9)
    index = np.random.default_rng(1).permutation(5000)
    collected._vectors = Walked(collected._vectors)
    found = collected.vectors(index)
    assert Walked.taken <= 2
    assert np.allclose(found, (given / np.linalg.norm(given, axis=1, keepdims=True))[index], atol=2e-3)
