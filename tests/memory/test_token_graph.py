"""A recorded token against the cache's own, every family, while windows move and positions start anew."""

from __future__ import annotations

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from longread.memory import sink_cache, token_graph
from longread.memory.policy import make_policy
from longread.memory.temp_lora import LoraOptions, TempLora
from longread.memory.token_graph import TokenGraph
from longread.model.backbone import Backbone
from tests.recorder import recorded
from tests.tiny import FAMILIES, tiny_model

WINDOW = 20


@pytest.fixture
def recordings(monkeypatch):
    """How often something was recorded; positions start anew every fifty tokens or so."""
    made = []

    def record(run):
        made.append(run)
        return recorded(run)

    monkeypatch.setattr(token_graph, "cuda_graph", record)
    monkeypatch.setattr(sink_cache, "REBASE", 50)
    return made


def _ids(n: int) -> list[int]:
    return torch.randint(3, 97, (n,), generator=torch.Generator().manual_seed(5)).tolist()


def _caches(backbone: Backbone, sinks: int, known: int = 10):
    """Two caches that have read the same."""
    ids = torch.tensor(_ids(known))
    for _ in range(2):
        policy = make_policy("sink", backbone, window=WINDOW, sinks=sinks)
        for part in (ids[:sinks], ids[sinks:]) if sinks else (ids,):
            policy.forward(part)
            policy.commit()
        yield policy


def _apart(run, played, token: int) -> float:
    expected, found = run.forward(torch.tensor([token])), played.forward(token)
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(("family", "sinks"), [*((name, 4) for name in FAMILIES), ("llama", 0)])
def test_a_played_token_is_what_a_run_one_is(family, sinks, recordings):
    backbone = Backbone(tiny_model(family))
    with torch.no_grad(), backbone.attached():
        ours, other = _caches(backbone, sinks)
        graph = TokenGraph(other)
        for token in _ids(80)[10:]:
            assert _apart(ours, graph, token) < (2e-4 if family == "cohere" else 1e-5)
            ours.commit()
            other.commit()
        assert len(recordings) == 1
        kept, same = ours.state(), other.state()
    assert all(torch.allclose(kept[name], same[name], atol=1e-4) for name in kept)


def test_it_plays_what_an_adapter_has_learned_since(recordings):
    model = tiny_model("llama")
    backbone = Backbone(model)
    with backbone.attached(), TempLora(model, LoraOptions(rank=2, rate=0.05, spread=4.0)) as lora:
        with torch.no_grad():
            ours, other = _caches(backbone, 4)
            graph = TokenGraph(other)
            before = graph.forward(7)
        for _ in range(3):
            hidden = backbone.hidden(torch.tensor(_ids(12)))
            lora.step(backbone.nll(hidden[:-1], torch.tensor(_ids(12)[1:])).mean())
        with torch.no_grad():
            assert _apart(ours, graph, 7) < 1e-5
            assert (graph.forward(7) - before).abs().max() > 0.01
    assert len(recordings) == 1


def test_other_buffers_are_recorded_anew(recordings):
    backbone = Backbone(tiny_model("llama"))
    with torch.no_grad(), backbone.attached():
        ours, other = _caches(backbone, 4)
        graph = TokenGraph(other)
        for at, token in enumerate(_ids(30)):
            if at == 15:
                ours.narrow(12)
                other.narrow(12)
            assert _apart(ours, graph, token) < 1e-5
            ours.commit()
            other.commit()
    assert len(recordings) == 2


class _Elsewhere(TorchDispatchMode):
    """What touches a tensor that is not on the model's device."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **(kwargs or {}))
        tensors = [t for t in tree_flatten((args, kwargs, out))[0] if isinstance(t, torch.Tensor)]
        if any(t.device.type != "meta" for t in tensors):
            self.found.append(str(operation))
        return out


# Mixtures of experts group their products, of which float32 on the meta device knows nothing.
@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "gpt_oss"])
def test_a_recording_leaves_the_device_alone(family, monkeypatch):
    """On a device without data nothing can be asked for, and what comes from the processor is seen: a CUDA
    graph must have neither."""
    model = tiny_model(family)
    rotations = Backbone(model).rotations
    for layer in Backbone(model).layers.values():
        rotations.of(layer)  # their frequencies while there are any
    backbone = Backbone(model.to("meta"))
    backbone.rotations = rotations
    watch = _Elsewhere()

    def record(run):
        with watch:
            run()
        watch.found.append("recorded")
        return run

    monkeypatch.setattr(token_graph, "cuda_graph", record)
    ids = torch.zeros(9, dtype=torch.int64, device="meta")
    with torch.no_grad(), backbone.attached():
        policy = make_policy("sink", backbone, window=WINDOW, sinks=4)
        for part in (ids[:4], ids):
            policy.forward(part)
            policy.commit()
        TokenGraph(policy).forward(7)
    assert watch.found == ["recorded"]
    with watch:
        torch.zeros(2).to("meta")
    assert len(watch.found) > 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_a_card(dtype):
    backbone = Backbone(tiny_model("llama", dtype=dtype).to("cuda"))
    with torch.no_grad(), backbone.attached():
        ids = torch.tensor(_ids(10), device="cuda")
        policies = []
        for _ in range(2):
            policies.append(make_policy("sink", backbone, window=WINDOW, sinks=4))
            for part in (ids[:4], ids[4:]):
                policies[-1].forward(part)
                policies[-1].commit()
        ours, other = policies
        play = other.recorded()
        for token in _ids(60):
            expected, found = ours.forward(torch.tensor([token], device="cuda")), play(token)
            assert (found - expected).norm() < (1e-5 if dtype == torch.float32 else 5e-2) * expected.norm()
            ours.commit()
            other.commit()
