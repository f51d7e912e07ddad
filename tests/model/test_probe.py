"""The probe where memory runs out, and what is remembered of it."""

from __future__ import annotations

import copy

import pytest
import torch

from longread.errors import ModelError
from longread.memory.policy import make_policy
from longread.model import probe as probing
from longread.model.backbone import Backbone
from longread.model.fingerprint import fingerprint, remember
from longread.model.load import load_model
from longread.model.probe import Verdict, head_agrees, known_verdict, probe, remembered_verdict
from longread.tasks.models import account
from tests.tiny import tiny_folder, tiny_model


def no_memory(*_, **__):
    raise torch.OutOfMemoryError("CUDA out of memory")


def test_without_room_for_a_copy_half_precision_is_judged_by_its_own_bound(monkeypatch):
    model = tiny_model("llama", dtype=torch.bfloat16)
    asked = []
    monkeypatch.setattr(copy, "deepcopy", lambda _: asked.append(1) or no_memory())
    found = probing._half_precision_allowance(model, torch.arange(9), torch.zeros(9, 97), 1.0)
    assert asked and found == 50 * torch.finfo(torch.bfloat16).eps
    verdict = probe(model, make_policy)
    assert verdict.inside > 0 and "does not take our attention" not in verdict.why


def test_a_shortage_is_no_verdict_and_is_not_remembered():
    model = tiny_model("llama")
    with pytest.raises(torch.OutOfMemoryError):
        remembered_verdict(model, "w" * 64, no_memory)
    assert known_verdict("w" * 64, torch.float32) is None
    assert remembered_verdict(model, "w" * 64, make_policy).agrees


def test_a_shortage_while_a_model_is_tried_is_one_clear_error(tmp_path):
    folder = tiny_folder(tmp_path / "model", "llama", num_hidden_layers=1)
    with pytest.raises(ModelError, match="not enough memory to test"):
        load_model(str(folder), no_memory, device="cpu")
    assert load_model(str(folder), make_policy, device="cpu").verdict.agrees


def test_a_probe_that_is_asked_for_is_made(tmp_path):
    folder = tiny_folder(tmp_path / "model", "llama", num_hidden_layers=1)
    key = probing._key(fingerprint(folder), torch.float32, "cpu")
    remember("probe.json", key, vars(Verdict(False, "remembered")))
    assert account(str(folder), device="cpu").verdict.startswith("remembered")
    shown = account(str(folder), probe=True, device="cpu")
    assert shown.proved and known_verdict(fingerprint(folder), torch.float32).agrees


def test_a_head_that_cannot_be_asked_does_not_agree(monkeypatch):
    model = tiny_model("llama")
    assert head_agrees(Backbone(model))
    monkeypatch.setattr(Backbone, "logits", lambda *_: torch.zeros(8, 5))
    assert not head_agrees(Backbone(model))
    monkeypatch.setattr(Backbone, "hidden", lambda *_: None.last_hidden_state)
    assert not head_agrees(Backbone(model))
