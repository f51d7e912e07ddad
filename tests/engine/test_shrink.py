"""Memory that runs out in the middle of a text: nothing is lost, less is taken, the reading goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch

import longread
from longread.config import Memory
from longread.engine.session import Session
from longread.engine.shape import Shape
from longread.engine.shrink import OutOfMemory, shrink
from longread.errors import Interrupted, ModelError
from longread.events import BlockRead, Done, Note
from longread.memory.temp_lora import TempLora
from longread.model.backbone import Backbone
from longread.store import saves
from longread.store.library import Library
from tests.engine.test_session import assert_untouched, blocks, snapshot
from tests.tiny import tiny_folder, tiny_model

SHAPE = Shape(block=16, window=48, sinks=4)
SHORTAGES = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    MemoryError(),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


def _read(session: Session, texts: list, said: list[str] | None = None) -> float:
    """Sum of NLL over ``texts``, shrinking as a job does."""
    total = 0.0
    for block in texts:
        while True:
            try:
                total += session.step(block)[-1].nll
                break
            except OutOfMemory:
                words = shrink(session)
                if said is not None:
                    said.append(words)
    return total


@pytest.fixture
def limited(monkeypatch):
    """``limited(tokens, error)``: from the third block on the decoder has room for so many tokens at once."""

    def limit(backbone: Backbone, tokens: int, error: BaseException, calls: int = 3) -> None:
        run, count = backbone.decoder.forward, [0]

        def forward(*args, input_ids, **kwargs):
            count[0] += 1
            if count[0] > calls and input_ids.shape[1] > tokens:
                raise error
            return run(*args, input_ids=input_ids, **kwargs)

        monkeypatch.setattr(backbone.decoder, "forward", forward, raising=False)

    return limit


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: type(error).__name__)
def test_a_block_is_read_in_parts_and_scores_the_same(limited, error):
    texts = blocks(8)
    found = []
    for tokens in (99, 9):
        backbone = Backbone(tiny_model("llama", num_hidden_layers=3))
        with Session(backbone, [1], SHAPE, Memory(learn=False)) as session:
            limited(backbone, tokens, error)
            said: list[str] = []
            found.append(_read(session, texts, said))
    assert said == ["memory ran out: from here on a block is read in parts of 8 tokens"]
    assert found[1] == pytest.approx(found[0], rel=1e-5)


@pytest.mark.parametrize(("recipe", "step"), [("fused", 1), ("fused", 5), ("paper", 5), ("paper", 6)])
@pytest.mark.parametrize("where", ["backward", "optimizer"])
def test_a_pass_that_failed_leaves_no_trace(recipe, step, where, monkeypatch):
    """It fails in the middle of learning, in the second of a block's two steps too: the adapter ends as if
    nothing had happened, since the first thing that is given up is time."""
    ends = []
    for fails in (False, True):
        model = tiny_model("llama", num_hidden_layers=2)
        before = snapshot(model)
        with Session(Backbone(model), [1], SHAPE, Memory(recipe=recipe, rank=2)) as session:
            taken, count = TempLora.step, [0]

            def short(*_):
                raise torch.OutOfMemoryError("in the middle")

            def once(self, loss, taken=taken, count=count, fails=fails):
                count[0] += 1
                if not fails or count[0] != step:
                    return taken(self, loss)
                if where == "backward":
                    loss.backward()
                    short()
                with monkeypatch.context() as patched:
                    patched.setattr(self._optimizer, "step", short)
                    return taken(self, loss)

            monkeypatch.setattr(TempLora, "step", once)
            total = _read(session, blocks(7))
            monkeypatch.undo()
            assert session.backbone.checkpointed is fails
            ends.append((session.lora.sha256(), total))
        assert_untouched(model, before)
    assert ends[0] == ends[1]


def test_the_window_shrinks_when_parts_are_not_enough(limited):
    """Chunks are as large as the window: there it is all that helps; and in the end nothing does."""
    backbone = Backbone(tiny_model("gpt2"), stateful=False)
    with Session(backbone, [1], SHAPE, Memory(learn=False)) as session:
        limited(backbone, 24, SHORTAGES[0])
        said: list[str] = []
        _read(session, blocks(6), said)
        assert said == ["memory ran out: from here on the window has 24 tokens"]
        limited(backbone, 2, SHORTAGES[0], calls=0)
        with pytest.raises(ModelError, match="although a block was read in parts") as error:
            _read(session, blocks(1))
        assert "--no-learn" in error.value.hint and not isinstance(error.value, OutOfMemory)


def test_a_block_of_one_token_leaves_only_the_window():
    backbone = Backbone(tiny_model("llama", num_hidden_layers=1))
    with Session(backbone, [1], Shape(1, 48, 4), Memory(learn=False)) as session:
        _read(session, blocks(2))
        assert shrink(session) == "memory ran out: from here on the window has 24 tokens"
        assert session.part is None


def test_a_narrowed_cache_is_the_smaller_window():
    """After ``narrow`` the logits are those of a cache that had the small window from the start, once what
    it sees was made by the same tokens: a single layer, whose keys depend on nothing but their token."""
    from longread.memory.policy import make_policy

    model = tiny_model("llama", num_hidden_layers=1, dtype=torch.float64)
    backbone = Backbone(model)
    ids = torch.randint(3, 97, (90,), generator=torch.Generator().manual_seed(5))
    out = []
    with torch.no_grad(), backbone.attached():
        for narrows in (False, True):
            policy = make_policy("sink", backbone, window=40 if narrows else 20, sinks=4)
            for part in (ids[:4], *ids[4:60].split(9)):
                policy.forward(part)
                policy.commit()
            if narrows:
                policy.narrow(20)
            hidden = []
            for part in ids[60:].split(7):
                hidden.append(policy.forward(part))
                policy.commit()
            out.append(torch.cat(hidden))
            fresh = make_policy("sink", backbone, window=20, sinks=4)
            fresh.load(policy.state())
            assert torch.equal(fresh.forward(ids[:3]), policy.forward(ids[:3]))
    assert torch.allclose(out[0], out[1], atol=1e-12)


def test_a_job_saves_shrinks_and_goes_on(tmp_path, monkeypatch):
    """And a reading that was stopped after that goes on as small as it had become."""
    folder = tiny_folder(tmp_path / "model", "llama")
    path = tmp_path / "log.txt"
    path.write_text(
        "".join(f"On day {n} the ferry carried {n} barrels.\n" for n in range(9)), encoding="utf-8"
    )
    hidden, saved = Backbone.hidden, []

    def short(self, ids, positions=None, attend=None):
        if attend is not None and len(ids) > 8 and int(positions[-1]) > 60 and torch.is_grad_enabled():
            saved.append([save for one in Library().all() for save in one.saves.glob("*")])
            raise torch.OutOfMemoryError("CUDA out of memory")
        return hidden(self, ids, positions, attend)

    monkeypatch.setattr(Backbone, "hidden", short)

    def read(stop_after: int | None = None) -> tuple[list[str], Done]:
        events = longread.stream(
            "read", path, model=str(folder), device="cpu", block=16, window=48, rank=2, recipe="fused"
        )
        notes, count, event = [], 0, next(events)
        while not isinstance(event, Done):
            notes += [event.text] if isinstance(event, Note) else []
            count += isinstance(event, BlockRead)
            stop = isinstance(event, BlockRead) and count == stop_after
            event = events.throw(Interrupted("interrupted")) if stop else next(events)
        return notes, event

    notes, whole = read()
    said = [note for note in notes if "memory ran out" in note]
    assert said == [
        "block 4: memory ran out: from here on each layer runs twice for the gradient, which takes less",
        "block 4: memory ran out: from here on a block is read in parts of 8 tokens",
    ]
    assert set(said) <= set(whole.warnings) and not whole.partial and whole.result.blocks > 8
    assert saved[0] == [] and len(saved[1]) == 1, "the reading was saved before the next try"
    monkeypatch.setenv("LONGREAD_HOME", str(tmp_path / "other"))
    _, part = read(stop_after=7)
    assert part.partial
    notes, rest = read()
    assert not any("in parts" in note for note in notes), "it has been told already"
    assert rest.result.adapter_sha256 == whole.result.adapter_sha256
    assert rest.stats["nll"] == whole.stats["nll"]


def test_a_block_that_is_half_read_is_not_saved(tmp_path, monkeypatch):
    """Memory runs out in a block's second half, and Ctrl-C comes before it goes on."""
    folder = tiny_folder(tmp_path / "model", "llama")
    path = tmp_path / "log.txt"
    text = "".join(f"On day {n} the ferry carried {n} barrels.\n" for n in range(30))
    path.write_text(text, encoding="utf-8")
    hidden, halves = Backbone.hidden, []

    def short(self, ids, positions=None, attend=None):
        if attend is not None and torch.is_grad_enabled() and int(positions[-1]) > 60:
            halves.extend([1] if len(ids) <= 8 else [])
            if len(ids) > 8 or len(halves) == 11:  # the second one of the ninth block
                raise torch.OutOfMemoryError("CUDA out of memory")
        return hidden(self, ids, positions, attend)

    monkeypatch.setattr(Backbone, "hidden", short)
    options = {"model": str(folder), "device": "cpu", "block": 16, "window": 48, "rank": 2}
    events = longread.stream("read", path, **options)
    event = next(events)
    while not (isinstance(event, Note) and "here on the window" in event.text):
        event = next(events)
    with suppress(StopIteration):
        event = events.throw(Interrupted("interrupted"))
        while True:
            event = next(events)
    (one,) = Library().all()
    for save in saves.sound(one.saves)[0]:
        seen = int(save.tensors()["session.kv.place"][0])
        assert seen - save.record["tokens"] in (0, 1), "the keys are of the blocks that were counted"
    monkeypatch.setattr(Backbone, "hidden", hidden)
    assert longread.read(path, **options).resumed_at > 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux limits a process's memory")
@pytest.mark.timeout(600)
def test_under_a_real_limit_the_whole_text_is_read(tmp_path, cli_env):
    """torch's own allocator fails, in a pass it chose itself."""
    from importlib import resources

    from transformers import AutoConfig, AutoModelForCausalLM

    from tests.model.peak import SHAPES

    family, config, *_ = SHAPES["wide"]
    folder, path = tmp_path / "model", tmp_path / "log.txt"
    AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **config)).save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (folder / file).write_bytes(resources.files("longread").joinpath("pocket", file).read_bytes())
    path.write_text(
        "".join(f"On day {n} the ferry carried {n} barrels.\n" for n in range(130)), encoding="utf-8"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "tests.engine.short_memory", str(folder), str(path), "20"],
        capture_output=True,
        text=True,
        env=cli_env(False, OMP_NUM_THREADS="1"),
        cwd=Path(__file__).parents[2],
        timeout=500,
    )
    assert ran.returncode == 0, ran.stderr
    row = json.loads(ran.stdout)
    assert "memory ran out" in row["warnings"][0] and row["blocks"] > 5 and not row["partial"]
