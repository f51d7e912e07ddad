"""What is given up when memory is short, in which order, and what the user is told."""

from __future__ import annotations

import json
import os

import pytest

from longread.config import Memory
from longread.engine.shape import Shape, shape_for
from longread.memory.policy import make_policy
from longread.model import cached, fit, load, machine, room
from longread.model.catalog import catalogue
from longread.model.machine import Machine
from tests.tiny import tiny_folder

SMALL = {**catalogue()["qwen3-0.6b"].shape, "max_position_embeddings": 32768, "model_type": "qwen3"}


def _machine(memory: float, **more) -> Machine:
    return Machine(int(memory) + machine._OWN, 8, 0.0, **more)


def _fits(memory: float, options: Memory = Memory(), **more) -> room.Fit:  # noqa: B008
    return room.fit(SMALL, _machine(memory), options, **more)


def test_with_enough_nothing_is_given_up():
    found = _fits(1e12)
    assert found.fits and not (found.shrunk or found.checkpointed or found.offloaded)
    assert found.sizes == fit.Sizes(1024, 4096) and found.says(int(1e12)) == ""


def test_first_time_is_given_up_then_the_block_then_the_window():
    """Walking down from what it wants, the sizes change in this order and the line says each."""
    seen = []
    memory = _fits(1e12).wanted
    while not seen or seen[-1].fits:
        found = _fits(memory)
        assert not found.fits or found.needs.total <= memory
        seen.append(found)
        memory = found.needs.total - 1
    steps = [(f.checkpointed, f.sizes.block, f.sizes.window) for f in seen if f.fits]
    assert steps[:4] == [(False, 1024, 4096), (True, 1024, 4096), (True, 512, 4096), (True, 256, 4096)]
    windows = [window for _, _, window in steps]
    assert windows == sorted(windows, reverse=True) and windows[-1] == room.SMALLEST_WINDOW
    assert not seen[0].says(1) and seen[1].says(1).endswith("layers run twice for the gradient")
    assert "blocks of 512 tokens" in seen[2].says(1) and "\n" not in seen[2].says(1)
    assert "may run out" in seen[-1].says(1)


def test_sizes_that_the_user_named_stay():
    found = _fits(6e9, Memory(window=4096, block=1024))
    assert found.sizes == fit.Sizes(1024, 4096) and not found.shrunk
    assert _fits(5e9, Memory(window=4096)).sizes.window == 4096
    assert not _fits(5e9, Memory(learn=False)).checkpointed


def test_beside_a_card_weights_wait_in_memory():
    card = Machine(int(4e9), 8, 0.0, gpu="a card", spare=int(16e9))
    large = {**catalogue()["qwen3-4b"].shape, "max_position_embeddings": 32768, "model_type": "qwen3"}
    found = room.fit(large, card)
    assert found.fits and found.offloaded and found.checkpointed
    assert found.needs.weights > card.room
    assert not room.fit(large, Machine(int(4e9), 8, 0.0, gpu="a card")).fits


def test_weights_are_counted_in_their_files(tmp_path):
    folder = tiny_folder(tmp_path / "model", "gpt_oss")
    model = load._from_pretrained(load.find_model(str(folder)), load.torch.float32)
    assert cached.parameters_in(folder) == sum(p.numel() for p in model.parameters())
    (folder / "model.safetensors").write_bytes(b"\xff" * 64)
    assert cached.parameters_in(folder) is None


def test_a_model_is_read_with_as_memory_has_it(tmp_path, monkeypatch):
    """From the files to the session: sizes, checkpointing, the warning, and the same in a dry run."""
    import longread
    from longread.events import Done, Note, Planned

    folder = tiny_folder(tmp_path / "model", "llama", max_position_embeddings=4096)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    count = cached.parameters_in(folder)
    wanted = fit.needs(config, fit.Sizes(1024, 4096), parameters=count, rank=2)
    small = fit.needs(config, fit.Sizes(256, 4096), parameters=count, rank=2, checkpointed=True)
    assert small.total < wanted.total / 2
    monkeypatch.setattr(room, "memory_on", lambda _: _machine(small.total))
    loaded = load.load_model(str(folder), make_policy, device="cpu", memory=Memory(rank=2))
    assert loaded.backbone.checkpointed and "blocks of 256 tokens" in loaded.fit_says
    assert shape_for(loaded.backbone, Memory(), 1, learned_sink=False) == Shape(256, 4096, 4)
    path = tmp_path / "book.txt"
    path.write_text("The ferry carried barrels and no news.\n" * 40, encoding="utf-8")
    for job in ("read", "plan"):
        options = {"model": str(folder), "rank": 2, "device": "cpu"}
        if job == "plan":
            from longread.config import Options
            from longread.tasks.plan import plan

            events = list(plan("read", str(path), Options(str(folder), "cpu", memory=Memory(rank=2))))
        else:
            events = list(longread.stream("read", path, **options))
        planned = next(e for e in events if isinstance(e, Planned))
        assert (planned.block, planned.window) == (256, 4096)
        assert planned.memory_bytes == small.total == sum(planned.memory_parts.values())
        assert set(planned.memory_parts) == {"weights", "cache", "activations", "adapter"}
        said = [e.text for e in events if isinstance(e, Note) and e.level == "warning"]
        assert said.count(loaded.fit_says) == 1
        assert isinstance(events[-1], Done)


@pytest.mark.parametrize(("device", "cards", "expected"), [("auto", 2, 48), ("cuda:1", 2, 24), ("cpu", 2, 0)])
def test_the_memory_of_a_device(monkeypatch, device, cards, expected):
    monkeypatch.setattr(machine, "nvidia", lambda: [("a card", 24 << 30)] * cards)
    monkeypatch.setattr(machine, "torch_has_cuda", lambda: True)
    found = machine.memory_on(device)
    assert (found.memory == expected << 30 and found.spare > 0) if expected else (found.gpu == "")


@pytest.fixture
def cards(tmp_path, monkeypatch):
    """A machine with three cards, by an nvidia-smi of this test's own."""
    rows = [f"GPU-{at}{at}-x, Card {at}, {1024 * (at + 1)}" for at in range(3)]
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\n" + "".join(f"echo '{row}'\n" for row in rows), encoding="utf-8")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(machine, "torch_has_cuda", lambda: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def visible(named: str | None) -> list[str]:
        if named is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        for kept in (machine.nvidia, machine.accelerator):
            kept.cache_clear()
        return [name for name, _ in machine.nvidia()]

    yield visible
    for kept in (machine.nvidia, machine.accelerator):
        kept.cache_clear()


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
@pytest.mark.parametrize(
    ("named", "seen"),
    [
        (None, [0, 1, 2]),
        ("", []),
        (" ", []),
        ("-1", []),
        ("1", [1]),
        ("2,0", [2, 0]),
        ("0,-1,1", [0]),
        ("7", []),
        ("0,7,1", [0]),
        ("1,1", [1]),
        ("GPU-22", [2]),
        ("GPU-11-x, 0", [1, 0]),
        ("GPU-", []),
        ("MIG-11", []),
        ("NoDevFiles", []),
        ("9" * 5000, []),
    ],
)
def test_the_cards_are_those_that_cuda_shows(cards, named, seen):
    assert cards(named) == [f"Card {at}" for at in seen]
    assert machine.memory_on("auto").memory == (sum(at + 1 for at in seen) << 30 or machine.memory())
    assert machine.memory_on("cuda:1").gpu == (f"Card {seen[1]}" if len(seen) > 1 else "")
    assert machine.accelerator() == ((f"Card {seen[0]}", (seen[0] + 1) << 30) if seen else None)


def test_a_model_on_the_processor_is_planned_there_whatever_cards_there_are(tmp_path, monkeypatch):
    folder = tiny_folder(tmp_path / "model", "llama", num_hidden_layers=1)
    monkeypatch.setattr(machine, "nvidia", lambda: (("a card", 24 << 30),))
    monkeypatch.setattr(machine, "torch_has_cuda", lambda: True)
    monkeypatch.setattr(load.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(load.torch.backends.mps, "is_available", lambda: False)
    loaded = load.load_model(str(folder), make_policy, device="auto")
    assert loaded.model.device.type == "cpu"
    assert loaded.fit.needs.weights == 4 * loaded.parameters  # in float32, and not as on the card
