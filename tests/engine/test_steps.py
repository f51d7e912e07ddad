"""Which tokens are played from a recording, and what becomes of one that cannot be trusted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from longread_kernels import dispatch

from longread.config import Memory
from longread.engine import steps
from longread.engine.decode import generate_ids
from longread.engine.drawing import GREEDY
from longread.engine.sampling import Sampler
from longread.engine.session import Session
from longread.engine.shape import Shape
from longread.engine.writing import Writing
from longread.memory import token_graph
from longread.memory.policy import make_policy
from longread.model.backbone import Backbone
from longread.reader.document import Block
from tests.recorder import recorded
from tests.tiny import tiny_model


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
    """Counts and failures of this test only."""
    for name in ("taken", "failed", "_untold"):
        monkeypatch.setattr(dispatch, name, type(getattr(dispatch, name))())


@pytest.fixture
def card(monkeypatch):
    """The model is taken to lie on a card, and recordings are made on the CPU."""
    monkeypatch.setattr(Backbone, "on_one_card", True)
    monkeypatch.setattr(token_graph, "cuda_graph", recorded)
    return monkeypatch


PROMPT = torch.randint(3, 97, (30,), generator=torch.Generator().manual_seed(5)).tolist()


def _written(backbone: Backbone, tokens: int = 40) -> list[int]:
    policy = make_policy("sink", backbone, window=20, sinks=4)
    with backbone.attached():
        return list(generate_ids(policy, backbone, PROMPT, max_tokens=tokens))


def test_what_is_written_is_the_same(card):
    backbone = Backbone(tiny_model("llama"))
    ours = _written(backbone)
    assert dispatch.taken["token_graph.kernel"] == 40 - steps.AFTER and not dispatch.failed
    card.undo()
    assert _written(backbone) == ours


def test_a_continuation_that_learns_is_the_same(card):
    def written() -> list[int]:
        backbone, shape = Backbone(tiny_model("llama")), Shape(block=8, window=20, sinks=4)
        with Session(backbone, PROMPT[:4], shape, Memory(rank=2, rate=1e-2)) as session:
            list(session.step(Block(0, np.array(PROMPT[4:12]), np.arange(8), 0, 8, 1.0)))
            writing, sampler = Writing(session, PROMPT[4:12], reuse=1), Sampler(GREEDY)
            found = [writing.token(sampler) for _ in range(40)]
            assert writing.learned >= 32 and writing.encoded >= 3
        return found

    ours = written()
    assert dispatch.taken["token_graph.kernel"] > 20 and not dispatch.failed
    card.undo()
    assert written() == ours


def test_without_a_card_nothing_is_recorded():
    _written(Backbone(tiny_model("llama")), 12)
    assert not dispatch.taken["token_graph.kernel"] and not dispatch.failed


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda run: lambda: run() * 1.1, "ArithmeticError: a played token is 1.0e-01 away"),
        (lambda run: lambda: run() * float("nan"), "ArithmeticError"),
        (lambda run: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_recording_that_is_wrong_is_not_played(card, broken, said):
    backbone = Backbone(tiny_model("llama"))
    card.setattr(token_graph, "cuda_graph", broken)
    ours = _written(backbone)
    assert dispatch.failed["token_graph"].startswith(said)
    (told,) = dispatch.news()
    assert "token_graph does not run" in told and told.endswith("tokens are written more slowly")
    assert dispatch.taken["token_graph.reference"] == 40 - steps.AFTER
    card.undo()
    assert _written(backbone) == ours


def test_no_room_for_a_recording_ends_nothing(card):
    def full(run):
        raise torch.OutOfMemoryError("CUDA out of memory")

    card.setattr(token_graph, "cuda_graph", full)
    assert len(_written(Backbone(tiny_model("llama")))) == 40
    assert "no room" in dispatch.failed["token_graph"]
