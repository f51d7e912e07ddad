"""What a model's folder must never be able to do."""

from __future__ import annotations

import json

import pytest

from longread.errors import ModelError, UnsupportedError
from longread.memory.policy import make_policy
from longread.model.load import load_model
from tests.tiny import tiny_folder


@pytest.mark.parametrize("kind", ["llama", "a_kind_of_its_own"])
def test_code_that_comes_with_a_model_is_never_run(tmp_path, kind):
    folder, trace = tiny_folder(tmp_path / "model", "llama", num_hidden_layers=1), tmp_path / "ran"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": kind, "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "own.py").write_text(
        f"open({str(trace)!r}, 'w').close()\nfrom transformers import LlamaConfig as Own\n"
        "from transformers import LlamaForCausalLM as Model\n",
        encoding="utf-8",
    )
    if kind == "llama":
        assert load_model(str(folder), make_policy).parameters > 0
    else:
        with pytest.raises(UnsupportedError, match="code of its own"):
            load_model(str(folder), make_policy)
    assert not trace.exists()


def test_a_model_too_large_for_the_memory_is_not_called_damaged(tmp_path, monkeypatch):
    """Whoever is told so would fetch gigabytes again, for nothing."""
    import transformers

    def short(*_, **__):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    folder = tiny_folder(tmp_path / "model", "llama", num_hidden_layers=1)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", short)
    with pytest.raises(ModelError, match="no memory") as caught:
        load_model(str(folder), make_policy)
    assert "smaller model" in caught.value.hint
