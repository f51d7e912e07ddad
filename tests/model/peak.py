"""Measures the peak memory of reading with tiny random models, beside what was planned for it.

    python -m tests.model.peak      a line of JSON for each shape: name, planned and measured bytes

Knows how to ask Linux for a process's peak. Each shape is saved to disk, loaded and read with as a job would.
"""

from __future__ import annotations

import ctypes
import gc
import json
import tempfile
from importlib import resources
from pathlib import Path

import torch

from longread.config import Memory
from longread.engine.session import Session
from longread.engine.shape import shape_for
from longread.memory.behind import learn_behind
from longread.memory.policy import make_policy
from longread.model import fit
from longread.model.load import load_model
from longread.reader import open_document
from longread.reader.blocks import blocks

BASE = {"vocab_size": 10240, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}


def shape(width: int, inner: int, layers: int, heads: int, kv: int, length: int, **more) -> dict:
    """Keywords of a config."""
    return {
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "max_position_embeddings": length,
        "tie_word_embeddings": True,
        **BASE,
        **more,
    }


# Family, config, window, block, learning. The first warms up: what is loaded once belongs to no shape.
SHAPES = {
    "warm-up": ("llama", shape(64, 128, 2, 2, 1, 512), 512, 128, True),
    "pocket": ("llama", shape(256, 768, 6, 4, 2, 512), 512, 128, True),
    "wide": ("llama", shape(768, 2304, 6, 12, 4, 1024), 1024, 256, True),
    "norms": ("qwen3", shape(384, 1152, 12, 6, 2, 2048, head_dim=128), 2048, 512, True),
    "granite": ("granite", shape(640, 2048, 8, 10, 2, 2048), 1536, 256, True),
    "untied": ("llama", shape(512, 1408, 8, 8, 8, 1024, tie_word_embeddings=False), 512, 512, True),
    "plain": ("smollm3", shape(1024, 4096, 8, 16, 4, 4096), 4096, 1024, False),
}
TWICE = {"wide-twice": "wide", "granite-twice": "granite"}  # the same with checkpointed layers
BEHIND = {
    "wide-behind": "wide"
}  # the same, and a block is learned behind a whole window, as what is written is


def resident(key: str) -> int:
    """Bytes of a line of /proc/self/status."""
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(key))


def measured(name: str) -> tuple[int, int]:
    """Planned and measured bytes of a shape."""
    from transformers import AutoConfig, AutoModelForCausalLM

    family, config, window, block, learn = SHAPES[(TWICE | BEHIND).get(name, name)]
    memory = Memory(window=window, block=block, learn=learn)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **config))
        model.to(torch.bfloat16).save_pretrained(folder)
        del model
        for file in ("tokenizer.json", "tokenizer_config.json"):
            data = resources.files("longread").joinpath("pocket", file).read_bytes()
            (folder / file).write_bytes(data)
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        before = resident("VmRSS")
        loaded = load_model(str(folder), make_policy, device="cpu")
        sizes = shape_for(loaded.backbone, memory, len(loaded.prefix), learned_sink=False)
        loaded.backbone.checkpointed = name in TWICE
        with (
            open_document("sample:en") as text,
            Session(loaded.backbone, loaded.prefix, sizes, memory) as session,
        ):
            wanted = window // block + 3  # blocks until the window is full, and some
            for number, part in enumerate(blocks(text, loaded.encoder, block, start=0, end=text.characters)):
                session.step(part)
                if number >= wanted:
                    break
            if name in BEHIND:
                ids = loaded.encoder.encode("".join(text.text(0, 8 * window)))[:window]
                learn_behind(session.lora, loaded.backbone, torch.tensor(ids), block, 1)
        peak = resident("VmHWM") - before
        planned = fit.needs(
            json.loads((folder / "config.json").read_text(encoding="utf-8")),
            fit.Sizes(block, window),
            learn=learn,
            checkpointed=name in TWICE,
            behind=name in BEHIND,
        )
    return planned.total, peak


if __name__ == "__main__":
    for each in (*SHAPES, *TWICE, *BEHIND):
        planned, peak = measured(each)
        if each != "warm-up":
            print(json.dumps({"shape": each, "planned": planned, "measured": peak}), flush=True)
