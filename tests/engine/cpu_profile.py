"""Where the time goes while a model reads, learns and writes, and what torch.compile would change.

    python -m tests.engine.cpu_profile [--model NAME] [--text FILE] [--threads N] [--profile] [--compile]
                                       [--device cuda]

Prints tokens a second, medians over blocks and tokens; with ``--profile`` the shares of the operations, too;
with ``--compile`` each round twice, the decoder's layers plain and compiled around our attention, in
turn, since the machine may be busy. On a GPU each token is written in two ways, played from a CUDA graph
and run as it comes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from longread_kernels import dispatch
from torch.profiler import ProfilerActivity, profile

from longread.config import Memory
from longread.engine.decode import generate_ids
from longread.engine.session import Session
from longread.engine.shape import shape_for
from longread.memory.policy import make_policy
from longread.model.backbone import Backbone
from longread.model.load import load_model
from longread.reader import open_document
from longread.reader.blocks import blocks

WARM = 12  # blocks and tokens that are not counted
KINDS = {
    "matrix products": ("aten::mm", "aten::addmm", "aten::addmm_"),
    "products of attention": ("aten::bmm", "aten::baddbmm", "aten::baddbmm_"),
    "softmax, exp, log": ("aten::_softmax", "aten::exp_", "aten::exp", "aten::log", "aten::amax"),
    "copies and joins": ("aten::copy_", "aten::cat", "aten::clone", "aten::fill_"),
}


class Bench:
    """One model and one text."""

    def __init__(self, name: str, text: str, device: str) -> None:
        dtype = "float32" if device == "cpu" else "auto"
        self.loaded = load_model(name, make_policy, device=device, dtype=dtype)
        self.backbone: Backbone = self.loaded.backbone
        prefix = len(self.loaded.prefix)
        self.shape = shape_for(self.backbone, Memory(), prefix, learned_sink=prefix > 0)
        self.text = text

    def reading(self, count: int, learn: bool) -> Iterator[Callable[[], int]]:
        """Calls that read one block each and return its tokens."""
        with open_document(self.text) as document:
            found = blocks(document, self.loaded.encoder, self.shape.block)
            with Session(self.backbone, self.loaded.prefix, self.shape, Memory(learn=learn)) as session:
                for _ in range(WARM + count):
                    block = next(found)
                    yield lambda block=block: session.step(block)[-1].tokens  # its score waits for the device

    def writing(self, count: int, played: bool = True) -> Iterator[Callable[[], int]]:
        """Calls that write one token each into a full window; ``played`` where a recording can be."""
        ids = np.random.default_rng(0).integers(10, 1000, self.shape.window).tolist()
        policy = make_policy("sink", self.backbone, window=self.shape.window, sinks=self.shape.sinks)
        if not played:
            policy.recorded = lambda: None
        with self.backbone.attached():
            source = generate_ids(policy, self.backbone, ids, max_tokens=WARM + count)
            for _ in range(WARM + count):
                yield lambda: bool(next(source) >= 0)
        if played and self.backbone.on_one_card and not dispatch.taken["token_graph.kernel"]:
            print(f"nothing was played: {dispatch.failed}")


def speed(calls: Iterator[Callable[[], int]]) -> float:
    """Tokens a second, the median over calls."""
    rates = []
    for call in calls:
        began = time.perf_counter()
        rates.append(call() / (time.perf_counter() - began))
    return statistics.median(rates[WARM:])


def shares(calls: Iterator[Callable[[], int]]) -> str:
    """The share of each kind of operation in the time on the processor."""
    taken: Counter[str] = Counter()
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        for call in calls:
            call()
    for event in watched.key_averages():
        kind = next((kind for kind, names in KINDS.items() if event.key in names), "the rest")
        taken[kind] += event.self_cpu_time_total
    whole = sum(taken.values())
    return ", ".join(f"{kind} {time / whole:.0%}" for kind, time in taken.most_common())


@contextmanager
def compiled(backbone: Backbone) -> Iterator[None]:
    """Within the context each layer is compiled, all but our attention."""
    layers = list(backbone.decoder.layers)
    plain = Backbone._attention
    Backbone._attention = torch.compiler.disable(plain)
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        yield
    finally:
        Backbone._attention = plain
        for layer in layers:
            layer._compiled_call_impl = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--text", type=Path, default=Path("sample:en"))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--blocks", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=60)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--compile", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    bench = Bench(chosen.model, str(chosen.text), chosen.device)
    kinds = {
        "reading": lambda: bench.reading(chosen.blocks, learn=False),
        "learning": lambda: bench.reading(chosen.blocks, learn=True),
        "writing": lambda: bench.writing(chosen.tokens),
    }
    if bench.backbone.on_one_card:
        kinds["writing, each token run"] = lambda: bench.writing(chosen.tokens, played=False)
    print(f"{chosen.threads} threads, torch {torch.__version__}, {bench.shape}")
    if chosen.profile:
        for name, calls in kinds.items():
            print(f"{name}: {shares(calls())}", flush=True)
    for _ in range(chosen.rounds):
        print("plain   ", {name: round(speed(calls())) for name, calls in kinds.items()}, flush=True)
        if chosen.compile:
            with compiled(bench.backbone):
                found = {name: round(speed(calls())) for name, calls in kinds.items()}
            print("compiled", found, flush=True)


if __name__ == "__main__":
    main()
