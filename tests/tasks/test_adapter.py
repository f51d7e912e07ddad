"""The exported adapter, loaded by PEFT itself, against the adapter as it learned."""

from __future__ import annotations

import json

import numpy as np
import pytest

from longread.errors import LongreadError, UnsupportedError
from longread.tasks.adapter import CONFIG, TENSORS, peft_files
from tests.kept import keep

NAME = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.default.weight"
SHAPES = [[NAME.format("A"), [2, 3]], [NAME.format("B"), [4, 2]]]


def flat(count: int = 14) -> dict[str, np.ndarray]:
    return {"session.lora.weight": np.arange(count, dtype=np.float32)}


def test_names_shapes_and_values_are_those_of_the_save():
    from safetensors.numpy import load

    files = peft_files(keep(lora=SHAPES, tensors=flat()))
    assert list(files) == [TENSORS, CONFIG]
    found = load(files[TENSORS])
    prefix = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
    assert set(found) == {f"{prefix}A.weight", f"{prefix}B.weight"}
    np.testing.assert_array_equal(found[f"{prefix}A.weight"], np.arange(6, dtype=np.float32).reshape(2, 3))
    np.testing.assert_array_equal(
        found[f"{prefix}B.weight"], np.arange(6, 14, dtype=np.float32).reshape(4, 2)
    )
    config = json.loads(files[CONFIG])
    assert (config["r"], config["lora_alpha"]) == (2, 2)
    assert config["target_modules"] == ["model.layers.0.self_attn.q_proj"]
    assert config["base_model_name_or_path"] is None  # the bundled model has no name to fetch it by


def test_another_model_is_named():
    made = keep(model={"name": "someone/model", "weights": "", "parameters": 1}, lora=SHAPES, tensors=flat())
    assert json.loads(peft_files(made)[CONFIG])["base_model_name_or_path"] == "someone/model"


@pytest.mark.parametrize("extra", [{}, {"saved": ""}])
def test_without_an_adapter_there_is_nothing_to_export(extra):
    with pytest.raises(UnsupportedError, match="no adapter"):
        peft_files(keep(**extra))


@pytest.mark.parametrize(
    ("shapes", "tensors"),
    [
        (SHAPES, flat(13)),
        (SHAPES, {}),
        (SHAPES[:1], flat()),
        ([SHAPES[0], [SHAPES[0][0], [4, 2]]], flat()),
        ([["../../etc/passwd", [2, 7]]], flat()),
        ([["x", "y"]], flat()),
        ("no list", flat()),
        ([[NAME.format("B"), [7, 2]]], flat()),
        ([[NAME.format("A"), [-2, -7]]], flat()),
    ],
)
def test_a_damaged_adapter_is_one_clear_error(shapes, tensors):
    with pytest.raises(LongreadError, match="is damaged"):
        peft_files(keep(lora=shapes, tensors=tensors))


def test_a_flipped_bit_is_never_exported():
    made = keep(lora=SHAPES, tensors=flat())
    path = made.saves / "000001" / "state.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(LongreadError, match="not what was written"):
        peft_files(made)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT asks transformers for what it has renamed
def test_peft_computes_the_same_logits_from_the_export(tmp_path):
    """On the bundled model: random A and B as they would have learned, then from the folder."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from longread.memory.temp_lora import LoraOptions, TempLora
    from longread.model.find import find_model

    folder = find_model("pocket").folder
    ids = torch.arange(40, 140)[None]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad(), TempLora(model, LoraOptions(rank=4, alpha=4)) as lora:
        generator = torch.Generator().manual_seed(1)
        for parameter in lora.parameters.values():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 10)
        ours = model(ids).logits
        weight = lora.state()["weight"].numpy()
        shapes = [[name, list(p.shape)] for name, p in lora.parameters.items()]
    with torch.no_grad():
        plain = model(ids).logits
        for name, data in peft_files(keep(lora=shapes, tensors={"session.lora.weight": weight})).items():
            (tmp_path / name).write_bytes(data)
        theirs = PeftModel.from_pretrained(model, tmp_path).eval()(ids).logits
    assert (ours - plain).abs().max() > 1
    torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-4)
