"""Models that see pictures too: only the part that reads text is read with, learned with and planned."""

from __future__ import annotations

import json

import pytest
import torch

from longread.config import Memory
from longread.engine.session import Session
from longread.engine.shape import Shape
from longread.errors import UnsupportedError
from longread.memory.policy import make_policy
from longread.model import compat, fit, room
from longread.model.find import find_model
from longread.model.load import load_model
from longread.model.machine import Machine
from longread.tasks.models import account
from tests.engine.test_session import blocks
from tests.tiny import FAMILIES, tiny_config, tiny_folder

PICTURES = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 28,
    "patch_size": 14,
}


def folder_of(folder, kind, **text):
    """A folder with a tiny model of ``kind`` that sees pictures, and a tokenizer."""
    from tokenizers import Tokenizer
    from transformers import AutoConfig, AutoModelForCausalLM

    tiny_folder(folder, "llama", num_hidden_layers=1)
    size = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    part = tiny_config("gemma3_text", vocab_size=size, **text).to_dict()
    part = {key: value for key, value in part.items() if key != "model_type"}
    config = AutoConfig.for_model(kind, text_config=part, vision_config=PICTURES, mm_tokens_per_image=4)
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def test_a_model_that_sees_pictures_is_read_with_and_learns_where_it_reads(tmp_path):
    folder = folder_of(tmp_path / "model", "gemma3")
    loaded = load_model(str(folder), make_policy, device="cpu", memory=Memory(rank=2))
    assert loaded.verdict.agrees and loaded.verdict.inside > 0
    assert loaded.backbone.trained_length == 64
    names = compat.linear_names(loaded.model)
    assert names and all(".language_model.layers." in name for name in names)
    assert len(compat.layers(loaded.backbone.decoder)) == 8
    with Session(loaded.backbone, [1], Shape(16, 48, 4), Memory(rank=2)) as session:
        losses = [session.step(block)[-1].nll for block in blocks(6)]
        assert all(torch.isfinite(torch.as_tensor(loss)).all() for loss in losses)
    shown = account(str(folder), device="cpu")
    assert (shown.layers, shown.window, shown.width) == (8, 64, 32)
    assert shown.rotation != "not rotary"


def test_the_figures_are_those_of_the_part_that_reads(tmp_path):
    config = find_model(str(folder_of(tmp_path / "model", "gemma3"))).config
    assert "hidden_size" not in config
    part = config["text_config"]
    assert fit.figures(config) == fit.figures(part) and fit.figures(config).layers == 8
    machine = Machine(int(8e9), 2, 1e9)
    assert room.fit(config, machine) == room.fit(part, machine)
    assert fit.default_sizes(config) == fit.default_sizes(part)
    assert fit.figures({"text_config": "none", **part}) == fit.figures(part)


def test_a_model_whose_part_for_text_is_not_found_is_refused_before_it_is_loaded(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "model", "gemma3")
    monkeypatch.setattr(compat, "layers", lambda _: [])
    monkeypatch.setattr("longread.model.load._placed", None)  # nothing is loaded
    with pytest.raises(UnsupportedError, match="which part of it reads text"):
        load_model(str(folder), make_policy, device="cpu")
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps({**config, "model_type": "llava"}), encoding="utf-8")
    with pytest.raises(UnsupportedError, match="llava"):
        load_model(str(folder), make_policy, device="cpu")


@pytest.mark.parametrize("wrong", [{"num_attention_heads": 0}, {"hidden_size": "x"}])
def test_figures_that_make_no_model_are_refused_in_words(tmp_path, wrong):
    folder = folder_of(tmp_path / "model", "gemma3")
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    config["text_config"] |= wrong
    file.write_text(json.dumps(config), encoding="utf-8")
    for use in (account, lambda name, device: load_model(name, make_policy, device=device)):
        with pytest.raises(UnsupportedError, match="does not know"):
            use(str(folder), device="cpu")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_for_text_alone_has_one_part(family):
    from tests.tiny import tiny_model

    model = tiny_model(family)
    assert compat.reaches_text(model) and not compat.is_composite(model.config)
    assert compat.decoder(model) is model.base_model
