"""The tiktoken twin against the stock tokenizer, and both on the bundled model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from longread.model import tiktokens
from longread.model.plaintext import load_plain
from longread.model.tokens import Encoder, load_encoder

POCKET = Path(__file__).parents[3] / "longread" / "pocket"
BOOKS = Path(__file__).parents[4] / "shared" / "data" / "books"


def test_tiktoken_where_it_can_be_the_same(family):
    assert (family.encoder.kind == "tiktoken") == (family.fast)
    assert bool(family.encoder.reason) == (family.encoder.kind == "tokenizers")
    assert load_encoder(family.folder, prefer="tokenizers").kind == "tokenizers"


def test_tiktoken_is_dropped_where_its_tokens_differ(families, tmp_path):
    layout = json.loads((families["gpt2"].folder / "tokenizer.json").read_text(encoding="utf-8"))
    merges = layout["model"]["merges"]
    merges[:40] = reversed(merges[:40])  # no training gives such an order
    (tmp_path / "tokenizer.json").write_text(json.dumps(layout), encoding="utf-8")
    encoder = load_encoder(tmp_path)
    bare = {"added_tokens": [], "post_processor": None, "truncation": None}
    whole = Tokenizer.from_str(json.dumps(layout | bare))
    assert encoder.kind == "tokenizers"
    for line in families["gpt2"].corpus:
        assert encoder.encode(line) == whole.encode(line).ids


def test_a_million_spaces(families):
    """tiktoken's matcher overflows on them."""
    text = "a" + " " * 1_000_000 + "b"
    encoder = families["gpt2"].encoder
    assert encoder.encode(text) == families["gpt2"].ids(text)


@pytest.fixture(scope="module")
def pocket() -> tuple[Encoder, Tokenizer]:
    if not (POCKET / "tokenizer.json").is_file():
        pytest.skip("the bundled model is not in the package yet")
    layout = json.loads((POCKET / "tokenizer.json").read_text(encoding="utf-8"))
    return load_encoder(POCKET), Tokenizer.from_str(json.dumps({**layout, "added_tokens": []}))


def test_pocket_goes_through_tiktoken(pocket):
    encoder, _ = pocket
    assert (encoder.kind, encoder.reason, encoder.note) == ("tiktoken", "", "")
    assert encoder.vocab_size == 10240
    assert encoder.special_ids() == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("where", ["en", "zh", "other"])
def test_pocket_on_books(pocket, where):
    books = sorted((BOOKS / where).glob("*.txt"))
    if not books:
        pytest.skip("no books beside the repository")
    encoder, whole = pocket
    for book in books[:2]:
        text = book.read_text(encoding="utf-8")[:300_000]
        oracle = whole.encode(text, add_special_tokens=False)
        parts = list(encoder.stream(text[at : at + 7001] for at in range(0, len(text), 7001)))
        assert np.concatenate([ids for ids, _ in parts]).tolist() == oracle.ids
        assert np.concatenate([starts for _, starts in parts]).tolist() == [
            start for start, _ in oracle.offsets
        ]


def test_tiktoken_and_stock_agree_on_every_kind_of_character(pocket):
    """Both libraries carry their own Unicode tables; a sample of the code points, in three contexts."""
    encoder, whole = pocket
    letters = [chr(c) for c in range(0x20, 0x30000, 29) if not 0xD800 <= c < 0xE000]
    text = "".join(f"a{c} {c}1{c}{c}\n" for c in letters)
    assert encoder.kind == "tiktoken"
    assert encoder.encode(text) == whole.encode(text, add_special_tokens=False).ids


def test_ranks_are_not_built_for_other_kinds(families):
    for family in families.values():
        ranks, reason = tiktokens.build(load_plain(family.folder))
        assert (ranks is None) == bool(reason) == (not family.fast)
