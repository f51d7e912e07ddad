"""A text encoded piece by piece against the same text encoded at once, by the tokenizer as it was shipped."""

from __future__ import annotations

import copy
import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longread.model.cuts import Cutter
from longread.model.tokens import Encoder

LONG = 65536
WORDS = ["The keeper counted", " she'd", "They're ", "don", "'t", "'", "’s", "'s't", "1,204 steps", "\"It's "]
SCRIPTS = [
    "灯塔看守人",
    "，",
    "。",
    "灯台守はもう",
    "Смотритель ",
    "über dem Meer",
    "바람이 세다.",
    "٣ عدد",
    "हिन्दी",
]
SPACES = [" ", "  ", "\n", "\r", "\r\n", "\t", "\u3000", "\xa0", "\x85", "\x1c", "\u200b", "\ufeff", "\u2028"]
MARKS = ["e\u0301", "\u0301", "é", "가", "\u1100\u1161\u11a8", "か\u3099", "ｶﾞ", "Å", "½", "ﬁ", "\ufffd", "\0"]
SIGNS = [
    "👩\u200d👩\u200d👧",
    "👍🏽",
    "🇩🇪",
    "❤\ufe0f",
    "𠮷",
    "12345",
    "7",
    "١٢",
    "Ⅻ",
    "!!!",
    "—",
    "…",
    "_",
    "x²+y²",
]
NAMES = ["<s>", "<|end|>", "<tool_call>", "the keeper", "[PAD]", "iPhone", "HTMLParser"]
REPEATED = [" ", "\n", "\t", "\r\n", " \n", "9", "a", "A", "灯", "塔看", "-", ".", "'t", "'S", "'s't", " a"]
FRAGMENTS = st.one_of(
    *map(st.sampled_from, (WORDS, SCRIPTS, SPACES, MARKS, SIGNS, NAMES)),
    st.builds(lambda unit, count: unit * count, st.sampled_from(REPEATED), st.integers(1, 60)),
    st.text(max_size=6),
)
texts = st.lists(FRAGMENTS, max_size=40).map("".join)
patient = settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def cut_small(encoder: Encoder, size: int, reach: int) -> Encoder:
    """The same encoder with pieces so small that a short text is cut many times."""
    small = copy.copy(encoder)
    small.cutter = copy.copy(encoder.cutter)
    small.chunk, small.cutter.reach = size, reach
    return small


def streamed(encoder: Encoder, pieces) -> tuple[list[int], np.ndarray]:
    parts = list(encoder.stream(pieces))
    starts = np.concatenate([starts for _, starts in parts]) if parts else np.zeros(0, dtype=np.int64)
    for ids, places in parts:
        assert ids.dtype == places.dtype == np.int64
        assert ids.shape == places.shape
    return [token for ids, _ in parts for token in ids.tolist()], starts


def in_pieces(text: str, seed: int, most: int) -> list[str]:
    chance, pieces, at = random.Random(seed), [], 0
    while at < len(text):
        step = chance.randint(0, most)
        pieces.append(text[at : at + step])
        at += step
    return [*pieces, ""]


def check_stream(family, text: str, *, size: int, reach: int, seed: int = 0) -> None:
    encoder = cut_small(family.encoder, size, reach)
    ids, starts = streamed(encoder, in_pieces(text, seed, 2 * size))
    oracle = family.whole.encode(text, add_special_tokens=False)
    assert ids == oracle.ids, family.name
    assert (np.diff(starts) >= 0).all()
    if len(starts):
        assert starts[0] >= 0
        assert starts[-1] < len(text)
    if encoder.cutter.first.normalizer is None or text.isascii():
        assert starts.tolist() == [start for start, _ in oracle.offsets]


@given(text=texts, size=st.integers(24, 90), reach=st.integers(6, 12), seed=st.integers(0, 99))
@patient
def test_encoding_piece_by_piece_gives_the_tokens_of_the_whole(families, text, size, reach, seed):
    for family in families.values():
        check_stream(family, text, size=size, reach=reach, seed=seed)


def test_every_family_is_really_cut(family):
    text = " ".join(family.corpus) * 3
    encoder = cut_small(family.encoder, 100, 12)
    pieces = list(encoder.cutter.split([text], 100))
    assert "".join(pieces) == text
    if family.one_piece:
        assert len(pieces) == 1
        assert "one piece" in encoder.note
    else:
        assert len(pieces) > len(text) / 400
        assert family.encoder.cutter.note == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        " ",
        "灯",
        "a b",
        "\n" * 3000 + "x" + " " * 3000,
        "word" + " \t" * 2000 + "word",
        "\r\n" * 2000,
        "end.\r\n\r\nnew " * 400,
        "1234567" * 800,
        " 12 345" * 800,
        "灯塔看守人数了一遍" * 600,
        "灯塔，看守人。" * 600,
        "e\u0301" * 2000,
        "👩‍👩‍👧" * 700,
        "don't they'll I've " * 300,
        "a" * 4000,
        "A" * 2000 + "b" * 2000,
        "x\ufffd\0\x1b[31m\x7f" * 500,
        "<s>" * 900,
    ],
)
def test_adversarial_texts(families, text):
    for family in families.values():
        check_stream(family, text, size=300, reach=24)
        ids, _ = streamed(cut_small(family.encoder, 300, 24), list(text[:1500]))  # one character a piece
        assert ids == family.ids(text[:1500])
        assert family.encoder.encode(text) == family.ids(text)


def test_a_cut_changes_nothing_at_any_size(family):
    text = "".join(family.corpus) + "x" + " " * 400 + "y\n" + " " * 401
    for size in range(20, 220, 7):
        check_stream(family, text, size=size, reach=8, seed=size)


def test_a_cutter_that_cuts_anywhere_is_caught(families, monkeypatch):
    monkeypatch.setattr(Cutter, "_holds", lambda *_: True)
    monkeypatch.setattr(Cutter, "_starter", lambda *_: True)
    wrong = 0
    text = "".join(families["gpt2"].corpus)
    for family in families.values():
        ids, _ = streamed(cut_small(family.encoder, 50, 8), [text])
        wrong += ids != family.ids(text)
    assert wrong >= 5


@given(text=texts, size=st.integers(24, 90), seed=st.integers(0, 99))
@patient
def test_pieces_are_the_text(families, text, size, seed):
    for family in families.values():
        pieces = list(cut_small(family.encoder, size, 6).cutter.split(in_pieces(text, seed, 40), size))
        assert "".join(pieces) == text
        assert all(pieces)


@pytest.mark.parametrize("pad", range(4))
def test_a_split_that_depends_on_where_it_began(families, pad):
    """Some patterns take "'t't" as one segment: which pairs they form is settled far to the left."""
    for family in families.values():
        check_stream(family, "a" * pad + "'t" * 200 + "." + "'s't" * 100, size=31 + pad, reach=4)


def test_memory_does_not_grow_with_the_text(families):
    encoder = families["gpt2"].encoder
    line = " ".join(families["gpt2"].corpus)

    def peak(count: int) -> int:
        tracemalloc.start()
        sizes = [len(ids) for ids, _ in encoder.stream(line for _ in range(count))]
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert len(sizes) >= count * len(line) // LONG
        return used

    peak(10)
    assert peak(1200) < 1.2 * peak(200)
