"""``score``: every figure against one computed another way."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from transformers import AutoModelForCausalLM

import longread
from longread.config import Memory, Options
from longread.errors import Interrupted
from longread.events import BlockRead, Done, Planned, Progress
from longread.jobs import JOBS
from longread.model import fit
from longread.model.fingerprint import recall
from longread.tasks import estimate
from longread.tasks.score import SEGMENTS, _over_all, score
from tests.tiny import tiny_folder

WORDS = ["ferry", "barrels", "Gull", "Yard", "news", "carried", "día", "and", "the", "no"]
TEXT = " ".join(WORDS[(n * n + n // 7) % 10] for n in range(260)) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_folder(tmp_path_factory.mktemp("models") / "tiny", "llama", num_hidden_layers=2)


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def events_of(folder, text, arms, **memory):
    options = Options(model=str(folder), memory=Memory(rank=4, rate=1e-2, **memory), save=False)
    return score(str(text), options, arms=arms)


def by_arm(events, arms):
    """The blocks of each arm: they come arm after arm, and each begins with block 0."""
    found = []
    for event in events:
        if isinstance(event, BlockRead):
            found += [[]] if event.index == 0 else []
            found[-1].append(event)
    return dict(zip(arms, found, strict=True))


def test_every_arm_is_summed_from_its_blocks(folder, text):
    arms = ("window", "sink", "sink+lora", "recompute")
    events = list(events_of(folder, text, arms))
    done, blocks = events[-1], by_arm(events, arms)
    for name, arm in done.result.arms.items():
        nll, tokens = sum(b.nll for b in blocks[name]), sum(b.tokens for b in blocks[name])
        assert (arm.tokens, arm.nll) == (tokens, pytest.approx(nll))
        assert arm.perplexity == pytest.approx(math.exp(nll / tokens))
        assert arm.bits_per_byte == pytest.approx(nll / math.log(2) / len(TEXT.encode()))
        assert len(arm.segments) == SEGMENTS
        for segment in arm.segments:
            mine = [b for b in blocks[name] if segment.from_ < b.block.end / len(TEXT) <= segment.to + 1e-9]
            mean = sum(b.nll for b in mine) / sum(b.tokens for b in mine)
            assert segment.perplexity == pytest.approx(math.exp(mean)), (name, segment)
    assert len({arm.nll for arm in done.result.arms.values()}) == len(arms)
    assert {name: any(b.learned for b in mine) for name, mine in blocks.items()} == {
        name: "+" in name for name in arms
    }
    assert done.stats["tokens"]["unread"] == 0 and not done.partial


def test_inside_the_window_it_is_the_loss_of_the_model_itself(folder, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text(TEXT[:50], encoding="utf-8")
    events = list(events_of(folder, short, ("sink", "recompute")))
    ids = torch.tensor(
        [1, *(id for event in by_arm(events, ("sink", "recompute"))["sink"] for id in event.block.ids)]
    )
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert len(ids) < model.config.max_position_embeddings
    with torch.no_grad():
        stock = torch.nn.functional.cross_entropy(model(ids[None]).logits[0, :-1], ids[1:], reduction="none")
    for arm in events[-1].result.arms.values():
        # The sinks are encoded before the rest, and lend themselves from the text: three of its tokens.
        assert arm.tokens == len(ids) - 1
        assert arm.nll == pytest.approx(float(stock.double().sum()), rel=1e-4)


def test_stopped_in_the_second_arm_it_gives_the_first(folder, text):
    task, seen = events_of(folder, text, ("sink", "window")), 0
    events = [next(task)]
    while not isinstance(events[-1], Done):
        last = events[-1]
        seen += isinstance(last, BlockRead) and last.index == 0
        stop = seen == 2 and isinstance(last, BlockRead) and last.index == 3
        events.append(task.throw(Interrupted("stopped")) if stop else next(task))
    assert events[-1].partial and [*events[-1].result.arms] == ["sink"]
    assert events[-1].stats["tokens"]["unread"] > 0


def test_the_time_announced_is_that_of_its_arms(folder, text, monkeypatch):
    monkeypatch.setattr(estimate, "matrix_rate", lambda: 1e11)

    def announced(arms, **memory):
        return next(event for event in events_of(folder, text, arms, **memory) if isinstance(event, Planned))

    plain, learned = announced(("sink",)), announced(("sink+lora",))
    assert not plain.learn and learned.learn
    assert learned.seconds == pytest.approx(fit.LEARNING * plain.seconds)
    assert learned.memory_bytes > plain.memory_bytes
    both = announced(("sink", "sink+lora"), learn=False)  # the arms say what is learned, not --learn
    assert both.seconds == pytest.approx(plain.seconds + learned.seconds)
    assert (both.learn, both.memory_bytes) == (True, learned.memory_bytes)
    assert announced(("recompute",)).seconds > 2 * plain.seconds
    options = Options(model=str(folder), memory=Memory(rank=4), save=False)
    *_, dry, _ = JOBS["score"].plan(str(text), options, {"arms": ("sink", "sink+lora")})
    assert isinstance(dry, Planned) and dry.learn and dry.seconds == pytest.approx(both.seconds, rel=0.01)


def test_what_one_arm_took_is_not_taken_for_the_speed_of_another(folder, text):
    text.write_text(TEXT * 4, encoding="utf-8")  # as many tokens as a speed is remembered from
    known = recall("speeds.json").keys()
    list(events_of(folder, text, ("recompute",)))
    made = recall("speeds.json").keys() - known
    assert len(made) == 1 and "recompute" in next(iter(made))
    list(events_of(folder, text, ("sink", "sink+lora")))
    assert len(recall("speeds.json").keys() - known) == 3


def test_what_is_left_is_reckoned_with_each_arms_own_pace():
    now = Progress("sink", 50, 100, "tokens", tokens_per_second=10.0, seconds_left=5.0)
    whole = _over_all(now, 0, [1.0, 3.0, 0.5])
    assert (whole.done, whole.total, whole.seconds_left) == (50, 300, 5.0 + 10.0 * 3.5)
    assert _over_all(now, 2, [1.0, 3.0, 0.5]).seconds_left == 5.0


def test_of_few_blocks_each_row_begins_where_the_one_before_ended(tmp_path):
    path = tmp_path / "short.txt"
    path.write_text("The ferry carried barrels and no news on the day before. " * 30, encoding="utf-8")
    found = longread.score(path, arms=["sink"], block=128, window=512)
    rows = [(segment.from_, segment.to) for segment in found.arms["sink"].segments]
    assert 1 < len(rows) < SEGMENTS and rows[0][0] == 0.0 and rows[-1][1] == 1.0
    assert all(before[1] == after[0] for before, after in pairwise(rows))
