"""Sentences out of blocks of tokens: whose tokens a row is made of."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from longread.events import BlockRead
from longread.reader import open_document
from longread.reader.document import Block
from longread.tasks.gather import Gatherer, gatherer_for

TEXT = "The tide went out. Nobody came to the quay at all.\n\nA bell rang twice. It was Friday, they said.\n"
SENTENCES = [(0, 18), (19, 50), (52, 70), (71, 96)]


@pytest.mark.parametrize("token", [r"\S+", r" ?\S+"])  # a word, or a word with the space before it
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_a_row_is_the_mean_over_its_own_tokens(tmp_path, size, token):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    found = list(re.finditer(token, TEXT))
    starts, ends = (np.array([getattr(match, name)() for match in found]) for name in ("start", "end"))
    number = np.arange(len(starts))
    hidden, nll = (
        np.stack([number, np.full(len(starts), 3)], 1).astype(np.float32),
        (number**2).astype(np.float32),
    )
    with open_document(str(path)) as document:
        gatherer = Gatherer(document, 0, document.characters, 2)
        for index, low in enumerate(range(0, len(starts), size)):
            mine = slice(low, low + size)
            end = int(starts[low + size]) if low + size < len(starts) else document.characters
            block = Block(index, number[mine], starts[mine], int(starts[low]), end, end / len(TEXT))
            count = len(block)
            gatherer.feed(
                BlockRead(index, count, float(nll[mine].sum()), block.share, 0.0, False,
                          token_nll=nll[mine], hidden=hidden[mine], block=block)
            )  # fmt: skip
    rows = [(record[()] if record.shape == () else record[0], vector) for record, vector in gatherer.fresh]
    assert [TEXT[row["start"] : row["end"]] for row, _ in rows] == [TEXT[a:b] for a, b in SENTENCES]
    for row, vector in rows:
        mine = (row["start"] < ends) & (starts < row["end"])
        assert row["tokens"] == mine.sum()
        assert row["nll"] == pytest.approx(nll[mine].mean())
        mean = hidden[mine].mean(axis=0)
        assert vector.tolist() == pytest.approx(list(mean / np.linalg.norm(mean)), abs=2e-3)


@pytest.mark.parametrize("save", [False, True])
def test_rows_wait_for_a_keeper_only_where_there_is_one(tmp_path, save):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    starts = np.array([match.start() for match in re.finditer(r"\S+", TEXT)])
    loaded = SimpleNamespace(
        backbone=SimpleNamespace(
            model=SimpleNamespace(get_output_embeddings=lambda: SimpleNamespace(weight=np.zeros((9, 2))))
        )
    )
    with open_document(str(path)) as document:
        end, count = document.characters, len(starts)
        job = SimpleNamespace(document=document, start=0, end=end, options=SimpleNamespace(save=save))
        gatherer = gatherer_for(job, loaded)
        block = Block(0, np.arange(count), starts, 0, end, 1.0)
        nll, hidden = np.ones(count, np.float32), np.ones((count, 2), np.float32)
        gatherer.feed(BlockRead(0, count, 1.0, 1.0, 0.0, False, token_nll=nll, hidden=hidden, block=block))
    assert len(gatherer.collector) == len(SENTENCES)
    assert len(gatherer.fresh) == (len(SENTENCES) if save else 0)
