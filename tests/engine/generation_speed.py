"""Seconds a token: the kept cache against encoding the window anew for each (StreamingLLM's comparison).

    python -m tests.engine.generation_speed [--tokens N] [--windows 256,512,1024,2048] [--json FILE]

The bundled model in float32 on the CPU, random ids. "cache" is the sink policy, one token a
time into a full window; "re-encoded" is the stock forward over the window's tokens, once a
token. Both choose the next token by the head. The two take turns token by token, and the
median of CPU time counts, since the machine may be busy: set OMP_NUM_THREADS=1. Windows above
the trained 512 are for speed only.
Gate: at the smallest window both policies must give the same logits before anything has left it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch

from longread.memory.policy import KVPolicy, make_policy
from longread.model.backbone import Backbone
from longread.model.load import load_model

SINKS = 4


def policies(backbone: Backbone, window: int) -> tuple[KVPolicy, KVPolicy]:
    """The two ways, both holding nothing yet."""
    return tuple(make_policy(name, backbone, window=window, sinks=SINKS) for name in ("sink", "recompute"))


def fill(policy: KVPolicy, ids: torch.Tensor, step: int) -> torch.Tensor:
    """Reads ``ids`` behind the sinks; the last hidden state [1, width]."""
    for part in (ids[:SINKS], *ids[SINKS:].split(step)):
        hidden = policy.forward(part)
        policy.commit()
    return hidden[-1:]


def one_token(backbone: Backbone, policy: KVPolicy, token: torch.Tensor, attached: bool) -> float:
    """CPU seconds for one more token and the choice of the next."""
    began = time.process_time()
    if attached:
        with backbone.attached():
            hidden = policy.forward(token)
    else:
        hidden = policy.forward(token)
    policy.commit()
    backbone.logits(hidden).argmax(-1)
    return time.process_time() - began


def gate(backbone: Backbone, window: int, ids: torch.Tensor) -> None:
    """Inside the window a cache and a fresh pass are the same model."""
    cache, anew = policies(backbone, window)
    inside = ids[: window - 1]
    with backbone.attached():
        ours = backbone.logits(fill(cache, inside, 64))
    theirs = backbone.logits(fill(anew, inside, 64))
    worst = float((ours - theirs).abs().max() / theirs.std())
    if worst > 1e-3:
        raise SystemExit(f"the gate failed: logits differ by {worst:.1e} of their spread")


def main() -> None:
    """Prints one line a window."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--windows", default="256,512,1024,2048")
    parser.add_argument("--json")
    chosen = parser.parse_args()
    windows = [int(part) for part in chosen.windows.split(",")]
    backbone = load_model("pocket", make_policy, device="cpu", dtype="float32").backbone
    torch.manual_seed(0)
    ids = torch.randint(10, 10_000, (3 * max(windows),))
    rows = []
    with torch.no_grad():
        gate(backbone, min(windows), ids)
        print(
            f"{torch.get_num_threads()} threads, torch {torch.__version__}; median of {chosen.tokens} tokens"
        )
        print("window   cache ms   re-encoded ms   ratio (CPU time a token)")
        for window in windows:
            cache, anew = policies(backbone, window)
            with backbone.attached():
                fill(cache, ids[: window + 64], 128)
            fill(anew, ids[: window + 64], window // 2)
            times = {"cache": [], "re-encoded": []}
            for number in range(chosen.tokens + 2):
                token = ids[number : number + 1]
                times["cache"].append(one_token(backbone, cache, token, attached=True))
                times["re-encoded"].append(one_token(backbone, anew, token, attached=False))
            # The first two tokens warm up.
            ours, theirs = (1e3 * statistics.median(times[name][2:]) for name in times)
            rows.append({"window": window, "cache_ms": ours, "re_encoded_ms": theirs, "ratio": theirs / ours})
            print(f"{window:6}   {ours:8.2f}   {theirs:13.2f}   {theirs / ours:5.1f}", flush=True)
    if chosen.json:
        with open(chosen.json, "w", encoding="utf-8") as out:
            json.dump({"threads": torch.get_num_threads(), "torch": torch.__version__, "rows": rows}, out)


if __name__ == "__main__":
    main()
