"""Writing block by block, against computations by hand."""

from __future__ import annotations

import math

import pytest
import torch

from longread.config import Memory
from longread.engine import writing as writing_module
from longread.engine.decode import Ended
from longread.engine.drawing import GREEDY, Sampling
from longread.engine.session import Session
from longread.engine.shape import Shape
from longread.engine.writing import Writing, write
from longread.events import Note, Text
from longread.model.backbone import Backbone
from tests.engine.test_session import PREFIX, SHAPE, assert_untouched, blocks, snapshot
from tests.tiny import tiny_model

MEMORY = Memory(rank=4)
SAMPLED = Sampling(temperature=1.0, top_p=0.95)


@pytest.fixture(scope="module")
def model():
    return tiny_model("llama", dtype=torch.float64, num_hidden_layers=3)


class Told:
    """Chooses what it is told to, and notes what that cost (nats)."""

    def __init__(self, ids) -> None:
        self.ids, self.nll = list(ids), []

    def pick(self, logits, generated):
        token = self.ids[len(self.nll)]
        self.nll.append(float(-logits.double().log_softmax(-1)[token]))
        return token


class Numbers:
    """A speller of ids as numbers."""

    def push(self, token: int) -> str:
        return f"{token} "

    def finish(self) -> str:
        return ""


def reading(
    model, memory=MEMORY, shape=SHAPE, prefix=PREFIX, count=6, **options
) -> tuple[Session, list[int]]:
    """A session, not entered, and the ids that ``read`` reads into it."""
    session = Session(Backbone(model, **options), prefix, shape, memory)
    return session, [int(token) for block in blocks(count, shape.block) for token in block.ids]


def read(session, count=6) -> None:
    for block in blocks(count, session.shape.block):
        session.step(block)


def some(n: int, seed: int = 3) -> list[int]:
    return torch.randint(3, 97, (n,), generator=torch.Generator().manual_seed(seed)).tolist()


@pytest.mark.parametrize("stateful", [True, False])
@pytest.mark.parametrize("reuse", [1, None])
def test_a_block_said_is_the_same_tokens_written_one_by_one(model, stateful, reuse):
    """Same NLL and the same adapter in the end, over blocks that were learned and a window made anew."""
    ids, found = some(58), []
    for how in ("said", "written"):
        session, past = reading(model, stateful=stateful)
        with session:
            read(session)
            writing = Writing(session, past, reuse=reuse)
            if how == "said":
                nll = writing.say(ids[:21]).tolist() + writing.say(ids[21:]).tolist()
            else:
                told = Told(ids)
                assert [writing.token(told) for _ in ids] == ids
                nll = told.nll
            found.append((nll, session.lora.state()["weight"], writing.learned, writing.encoded))
    (said, lora, *counts), (written, other, *others) = found
    assert counts == others and counts[0] == 48  # the fourth block is not full
    # A policy without a cache sees less of the past the longer the block is: only the learning is the same.
    tolerance = 1e-4 if stateful else math.inf
    assert max(abs(a - b) for a, b in zip(said, written, strict=True)) < tolerance
    assert torch.equal(lora, other)


def test_inside_the_window_and_without_an_adapter_it_is_the_stock_forward(model):
    session, past = reading(model, Memory(learn=False), Shape(16, 64, 4), count=2)
    ids = some(20)
    with session:
        read(session, 2)
        nll = Writing(session, past).say(ids)
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*PREFIX, *past, *ids]]), use_cache=False).logits[0]
    wanted = torch.nn.functional.cross_entropy(logits[-21:-1], torch.tensor(ids), reduction="none")
    assert torch.allclose(nll.double(), wanted, atol=1e-5)


@pytest.mark.parametrize(("recipe", "steps"), [("fused", 1), ("paper", 2)])
def test_a_block_is_learned_behind_the_tokens_before_it_and_for_itself_alone(model, recipe, steps):
    """The adapter is the one that stock cross-entropy on [sinks | L_T | block] gives, with the
    prefix left out of the loss."""
    memory, ids, states = Memory(rank=4, recipe=recipe), some(17), []
    for by_hand in (False, True):
        session, past = reading(model, memory)
        with session:
            read(session)
            before = session.lora.steps
            torch.manual_seed(5)  # dropout
            if by_hand:
                sinks, room = session.first.tolist(), SHAPE.window - SHAPE.sinks
                whole = torch.tensor([*sinks, *[*past, *ids[:16]][-room:]])
                assert len(whole) == SHAPE.window
                labels = torch.where(torch.arange(len(whole)) < len(whole) - 16, -100, whole)
                with session.lora.dropping_out(), torch.enable_grad():
                    for _ in range(steps):
                        logits = model(input_ids=whole[None], use_cache=False).logits[0]
                        session.lora.step(torch.nn.functional.cross_entropy(logits[:-1], labels[1:]))
            else:
                writing = Writing(session, past)
                writing.say(ids[:16])
                assert session.lora.steps == before  # not before something follows it
                writing.say(ids[16:])
            assert session.lora.steps == before + steps
            states.append(session.lora.state()["weight"])
    assert torch.allclose(*states, atol=1e-6)


def test_the_token_after_a_block_is_drawn_by_the_adapter_that_learned_it(model):
    """Without sinks a window just encoded is a plain forward of its tokens, with the adapter as it is now."""
    session, past = reading(model, shape=Shape(16, 48, 0), prefix=[])
    ids = some(17)
    with session:
        read(session)
        writing = Writing(session, past, reuse=1)
        nll = writing.say(ids)
        assert writing.encoded == 1
        whole = torch.tensor([[*past, *ids[:16]][-48:]])
        with torch.no_grad():
            logits = model(input_ids=whole, use_cache=False).logits[0, -1]
            with session.lora.off():
                old = model(input_ids=whole, use_cache=False).logits[0, -1]
    wanted = -logits.log_softmax(-1)[ids[16]]
    assert float(nll[16]) == pytest.approx(float(wanted), abs=1e-5)
    assert float(nll[16]) != pytest.approx(float(-old.log_softmax(-1)[ids[16]]), abs=1e-3)


@pytest.mark.parametrize(
    ("memory", "learn", "reuse", "learned", "encoded"),
    [
        (MEMORY, True, 1, 160, 10),
        (MEMORY, True, 2, 160, 5),
        (MEMORY, True, None, 160, 3),  # a window of 48 holds 43 beside its sinks: written full by 3 blocks
        (MEMORY, True, 99, 160, 3),
        (MEMORY, False, 1, 0, 0),
        (Memory(learn=False), True, 1, 0, 0),
    ],
)
def test_what_is_learned_and_when_the_window_is_made_anew(model, memory, learn, reuse, learned, encoded):
    session, past = reading(model, memory)
    with session:
        read(session)
        writing = Writing(session, past, learn=learn, reuse=reuse)
        writing.say(some(161))
        assert (writing.learned, writing.encoded, writing.skipped) == (learned, encoded, 0)


def test_a_spoilt_block_is_not_learned(model):
    session, past = reading(model)
    with session:
        read(session)
        writing = Writing(session, past)
        writing.say(some(10))
        writing.spoil()
        writing.say(some(23))
        assert writing.learned == 16


def test_of_a_block_above_the_window_only_what_the_window_holds_is_learned(model, monkeypatch):
    spans, shape = [], Shape(block=60, window=48, sinks=4)
    learn = writing_module.learn_behind
    monkeypatch.setattr(
        writing_module, "learn_behind", lambda *given: spans.append(given[3:4][0]) or learn(*given)
    )
    session, past = reading(model, shape=shape, count=2)
    with session:
        read(session, 2)
        writing = Writing(session, past)
        writing.say(some(61))
        assert spans == [44] and writing.learned == 44  # W - S: no sink is learned


@pytest.mark.parametrize("helps", [True, False])
def test_where_memory_runs_out_layers_run_twice_or_nothing_more_is_learned(model, monkeypatch, helps):
    learn, tries = writing_module.learn_behind, []

    def short(lora, backbone, *rest):
        tries.append(backbone.checkpointed)
        if helps and backbone.checkpointed:
            return learn(lora, backbone, *rest)
        raise torch.OutOfMemoryError("at the first layer")

    monkeypatch.setattr(writing_module, "learn_behind", short)
    session, past = reading(model)
    with session:
        read(session)
        writing = Writing(session, past)
        events = list(write(writing, Numbers(), max_tokens=40, sampling=SAMPLED))
    assert tries == ([False, True, True] if helps else [False, True])
    assert writing.learned == (32 if helps else 0) and len(events[-1].ids) == 40
    said = [event.text for event in events if isinstance(event, Note)]
    assert said == ([] if helps else ["memory ran out: what is written is no longer learned"])


def test_a_short_text_and_a_window_that_is_not_full(model):
    """What lies before the text (its prefix, tokens lent to the sinks) is not encoded twice."""
    session = Session(Backbone(model), PREFIX, Shape(4, 48, 4), MEMORY)
    block = blocks(1, 6)[0]
    with session:
        session.step(block)
        writing = Writing(session, block.ids.tolist(), reuse=1)
        seen = session.policy.seen
        writing.say(some(30))
        assert session.policy.seen == seen + 29  # all but the token held back
        assert writing.encoded == 7


def test_nothing_read_is_nothing_to_go_on_from(model):
    session, past = reading(model)
    with session, pytest.raises(ValueError, match="nothing to go on from"):
        Writing(session, past)


def test_the_model_is_bit_for_bit_what_it_was():
    model = tiny_model("llama", num_hidden_layers=2)
    before = snapshot(model)
    session, past = reading(model)
    with session:
        read(session)
        source = write(Writing(session, past, reuse=1), Numbers(), max_tokens=50, sampling=SAMPLED)
        for _ in range(40):
            next(source)
        source.close()
    assert_untouched(model, before)


def _written(model, memory=MEMORY, **options) -> list:
    session, past = reading(model, memory)
    with session:
        read(session)
        return list(write(Writing(session, past), Numbers(), **options))


def test_a_seed_fixes_the_text_and_some_tokens_are_never_written(model):
    never = frozenset(range(50, 97))
    one, two, other = (
        _written(model, max_tokens=20, sampling=SAMPLED, seed=seed, never=never)[-1] for seed in (7, 7, 8)
    )
    assert one == two != other
    assert one.reason == "length" and len(one.ids) == 20
    assert not never & {*one.ids}
    assert never & {*_written(model, Memory(learn=False), max_tokens=20, sampling=SAMPLED, seed=7)[-1].ids}


def test_a_circle_is_broken_and_circle_after_circle_ends_it(model, monkeypatch):
    """Greedy decoding of a tiny model goes in circles at once."""
    monkeypatch.setattr(writing_module, "_BREAK", 60)
    monkeypatch.setattr(writing_module, "_CHANCES", 1)
    events = _written(model, Memory(learn=False), max_tokens=3000, sampling=GREEDY)
    assert events[-1].reason == "loop"
    assert sum(isinstance(event, Note) for event in events) == 1
    assert [int(event.text) for event in events if isinstance(event, Text)] == [*events[-1].ids]
    at = next(place for place, event in enumerate(events) if isinstance(event, Note))
    ids = events[-1].ids[: at + 60]
    runs = [ids[i : i + 4] for i in range(len(ids) - 3)]
    assert len({*runs[:at]}) < at / 2  # it did go in circles
    after = runs[at - 3 :]
    assert len({*after}) == len(after) and not {*after} & {*runs[: at - 3]}


def test_it_ends_where_it_is_told_to(model):
    events = _written(model, max_tokens=9, sampling=SAMPLED)
    assert isinstance(events[-1], Ended) and len(events[-1].ids) == 9
    assert _written(model, max_tokens=0, sampling=SAMPLED) == [Ended("length", ())]
