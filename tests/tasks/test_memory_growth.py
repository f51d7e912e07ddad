"""Memory does not grow with the book: ``read`` and ``summarize`` in a process of their own, measured.

With a one-layer model, so that ten megabytes take minutes; what could grow (text, tokens,
keys, sentences, events) does not depend on the model's size.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="peak memory is read with getrusage")

PROGRAM = """
import json, resource, sys
from longread.config import Memory, Options
from longread.events import Done
from longread import jobs
task, path, model = sys.argv[1:]
for event in jobs.stream(task, path, model=model, block=128, window=512, rank=2):
    if isinstance(event, Done):
        read = event.stats["tokens"]["read"]
scale = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
print(json.dumps({"read": read, "peak": peak}))
"""


@pytest.fixture(scope="module")
def small_model(tmp_path_factory) -> Path:
    """One layer, 256 wide as pocket is, with pocket's tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("model")
    config = LlamaConfig(
        vocab_size=10240,
        hidden_size=256,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    pocket = resources.files("longread") / "pocket"
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(str(pocket / name), folder / name)
    return folder


def peak(task: str, path: Path, model: Path) -> tuple[int, int]:
    """Tokens read and peak resident bytes of one job."""
    out = subprocess.run(
        [sys.executable, "-c", PROGRAM, task, str(path), str(model)], capture_output=True, check=True
    )
    found = json.loads(out.stdout)
    return found["read"], found["peak"]


def book(folder: Path, megabytes: float) -> Path:
    """The novella again and again, every time with other numbers, so that no two chapters are the same."""
    text = (resources.files("longread") / "samples" / "the_mud_book.txt").read_text(encoding="utf-8")
    path = folder / f"book-{megabytes}.txt"
    size, copy = 0, 0
    with open(path, "w", encoding="utf-8") as file:
        while size < megabytes * 1e6:
            copy += 1
            size += file.write(text.replace(" the ", f" the {copy} "))
    return path


@pytest.mark.slow
@pytest.mark.timeout(5400)
@pytest.mark.parametrize(("task", "allowed"), [("read", 0.03), ("summarize", None)])
def test_ten_megabytes_take_no_more_than_one(task, allowed, small_model, tmp_path):
    less_read, less = peak(task, book(tmp_path, 1), small_model)
    more_read, more = peak(task, book(tmp_path, 10), small_model)
    print(f"{task}: {less / 1e6:.0f} MB for {less_read:,} tokens, {more / 1e6:.0f} MB for {more_read:,}")
    assert more_read > 9 * less_read
    if allowed is None:
        assert more - less < 200e6
    else:
        assert more < (1 + allowed) * less
