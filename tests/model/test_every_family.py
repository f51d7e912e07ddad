"""Every family from a folder to text: read, learned from, stopped and taken up, scored, written with.

What is read and what is written is held against the stock forward of the very model, run on the whole text.
"""

from __future__ import annotations

import pytest
import torch

import longread
from longread.config import Memory
from longread.engine.decode import generate_ids
from longread.engine.session import Session
from longread.engine.shape import Shape
from longread.errors import Interrupted, UnsupportedError
from longread.events import BlockRead, Done, Note
from longread.memory.policy import make_policy
from longread.model import families
from longread.model.chat import Chat, Message
from longread.model.load import LoadedModel, load_model
from longread.model.turns import Turns
from longread.reader.document import Block
from tests.tiny import CHUNKED, FAMILIES, tiny_folder

ALL = [*FAMILIES, *CHUNKED]
TEXT = "".join(f"On day {n} the ferry from Gull Yard carried {n} barrels and no news.\n\n" for n in range(4))
SIZES = {"block": 16, "window": 48, "rank": 2}


@pytest.fixture(params=ALL)
def family(request) -> str:
    return request.param


@pytest.fixture
def folder(family, tmp_path):
    return tiny_folder(tmp_path / "model", family)


@pytest.fixture
def loaded(folder) -> LoadedModel:
    return load_model(str(folder), make_policy, device="cpu")


def _stock(loaded: LoadedModel, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return loaded.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


def test_the_table_and_the_tests_name_the_same_families():
    tried = {"gemma3_text", "qwen3_5_text"} | {name.partition("-")[0] for name in ALL}
    assert {family.kind for family in families.FAMILIES if not family.refused} == tried
    chunked = {family.kind for family in families.FAMILIES if family.chunks}
    assert chunked == {name.partition("-")[0] for name in CHUNKED}


def test_read_with_an_adapter_stopped_and_taken_up(folder, family, tmp_path, monkeypatch):
    """A reading that was stopped ends as the unbroken one, bit for bit, and says how the text was kept."""
    path = tmp_path / "log.txt"
    path.write_text(TEXT, encoding="utf-8")

    def read(stop_after: int | None = None) -> tuple[list[str], Done]:
        events = longread.stream("read", path, model=str(folder), device="cpu", **SIZES)
        notes, blocks, event = [], 0, next(events)
        while True:
            if isinstance(event, Note):
                notes.append(event.text)
            if isinstance(event, Done):
                return notes, event
            blocks += isinstance(event, BlockRead)
            stop = isinstance(event, BlockRead) and blocks == stop_after
            event = events.throw(Interrupted("interrupted")) if stop else next(events)

    notes, whole = read()
    said = [note for note in notes if "read in chunks without a cache" in note]
    assert len(said) == (family in CHUNKED)
    assert not said or said[0].endswith(families.why_in_chunks(family.partition("-")[0]))
    monkeypatch.setenv("LONGREAD_HOME", str(tmp_path / "other"))
    _, part = read(stop_after=5)
    assert part.partial and part.result.blocks == 5
    _, rest = read()
    assert rest.result.resumed_at == 5
    assert rest.result.adapter_sha256 == whole.result.adapter_sha256
    assert rest.stats["nll"] == whole.stats["nll"]


def test_the_score_is_the_stock_loss_and_learning_changes_it(loaded, family):
    assert loaded.backbone.stateful == (family in FAMILIES)
    ids = [*loaded.prefix, *loaded.encoder.encode(TEXT)][:64]
    expected = torch.nn.functional.cross_entropy(_stock(loaded, ids)[:-1].double(), torch.tensor(ids[1:]))
    found = {}
    for learn in (False, True):
        memory = Memory(learn=learn, rank=2, rate=1e-2)
        with Session(loaded.backbone, loaded.prefix, Shape(16, 64, 4), memory) as session:
            reports = []
            for at in range(1, 64, 16):
                part = torch.tensor(ids[at : at + 16]).numpy()
                reports.append(session.step(Block(at // 16, part, part, at, at + 16, at / 64))[-1])
        found[learn] = sum(r.nll for r in reports) / 63
        assert all(r.learned is learn for r in reports)
        assert sum(r.tokens for r in reports) == 63
    assert found[False] == pytest.approx(float(expected), rel=1e-4)
    assert abs(found[True] - found[False]) > 1e-4, "the adapter had no effect on what is read"


def test_it_writes_what_the_stock_forward_would(loaded):
    """Greedy, from a prompt in the model's template, inside the window."""
    chat = Chat(loaded.found.folder, loaded.encoder)
    message = [Message("user", "Where does the ferry go?")]
    ids = chat.ids(message)
    turns = Turns(chat)
    assert [*turns.head, *turns.turn(message[0].content, first=True)] == ids
    assert ids[0] == 1 and ids.count(1) == 1, "one beginning of the text"
    assert "<think>\n\n</think>" in loaded.encoder.decode(ids), "thinking is off"
    with loaded.backbone.attached():
        policy = make_policy(
            "sink" if loaded.backbone.stateful else "recompute", loaded.backbone, window=64, sinks=4
        )
        written = list(generate_ids(policy, loaded.backbone, ids[-40:], max_tokens=8))
    expected = ids[-40:]
    for _ in range(8):
        expected.append(int(_stock(loaded, expected)[-1].argmax()))
    assert written == expected[-8:]


def test_an_encoder_decoder_model_is_refused(tmp_path):
    from transformers import T5Config

    T5Config(num_layers=1, d_model=8).save_pretrained(tmp_path)
    with pytest.raises(UnsupportedError, match="encoder-decoder model") as error:
        load_model(str(tmp_path), make_policy)
    assert "causal language model" in error.value.hint
