"""Turns in a rolling window: what is said is what the policy holds, whatever was taken back or cut off."""

from __future__ import annotations

from contextlib import closing

import pytest
import torch

from longread.engine.conversation import Conversation
from longread.engine.decode import generate_ids
from longread.engine.drawing import Sampling
from longread.engine.shape import Shape
from longread.memory.policy import make_policy
from longread.memory.temp_lora import LoraOptions, TempLora
from longread.model.backbone import Backbone
from tests.tiny import tiny_model

WINDOW, SINKS, BLOCK = 32, 4, 8
SHAPE = Shape(BLOCK, WINDOW, SINKS)
HEAD = [1, 5, 6, 7, 8]
WARM = Sampling(temperature=1.0)


@pytest.fixture(scope="module")
def backbone():
    backbone = Backbone(tiny_model("llama", dtype=torch.float64))
    with backbone.attached():
        yield backbone


@pytest.fixture
def lora(backbone):
    with TempLora(backbone.model, LoraOptions(rank=2, alpha=2, rate=1e-2)) as lora:
        yield lora


def words(count: int, seed: int) -> list[int]:
    return torch.randint(3, 97, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def said(conversation, ids, count=6, seed=0, sampling=WARM):
    return list(conversation.answer(ids, max_tokens=count, sampling=sampling, seed=seed))


def plain(backbone, ids, count=6, seed=0):
    """The same ids on a policy of their own, the head's sinks first."""
    policy = make_policy("sink", backbone, window=WINDOW, sinks=SINKS)
    return list(generate_ids(policy, backbone, ids, max_tokens=count, sampling=WARM, seed=seed))


def test_turns_are_one_stream(backbone):
    """Past the window too: five turns of 16 tokens in a window of 32."""
    conversation, stream = Conversation(backbone, HEAD, SHAPE), [*HEAD]
    for turn in range(5):
        ids = words(10, turn)
        answer = said(conversation, ids, seed=turn)
        assert answer == plain(backbone, [*stream, *ids], seed=turn)
        stream += [*ids, *answer]
    assert (len(conversation), conversation.turns, conversation.filled) == (len(stream), 5, 1.0)


def test_a_short_head_borrows_its_sinks(backbone):
    conversation = Conversation(backbone, [1], SHAPE)
    assert said(conversation, words(10, 0)) == plain(backbone, [1, *words(10, 0)])
    nothing = Conversation(backbone, [], SHAPE)
    assert said(nothing, words(10, 0)) == plain(backbone, words(10, 0))


def test_one_word_first_does_not_leave_a_stream_without_sinks(backbone):
    conversation = Conversation(backbone, [], SHAPE)
    answer = said(conversation, [9], count=12)
    more = words(10, 1)
    assert said(conversation, more) == plain(backbone, [9, *answer, *more])
    assert conversation._policy.sinks == SINKS


def test_the_templates_marks_are_not_learned(backbone, lora):
    def taught(marks):
        conversation = Conversation(backbone, HEAD, SHAPE, marks=marks, lora=lora)
        for turn in range(6):
            conversation.add([3, *words(14, turn), 4], words(6, 50 + turn))
        return sum(block.tokens for block in conversation.learn())

    every = taught(())
    assert every - taught((3, 4)) >= 6


def test_the_watch_brings_an_adapter_back_in_a_conversation_too(backbone, lora, monkeypatch):
    monkeypatch.setattr("longread.memory.watch.EVERY", 1)
    monkeypatch.setattr("longread.memory.watch.LEAST", 8)  # of words at random neither knows more
    lora.rate = 5.0
    conversation = Conversation(backbone, HEAD, SHAPE, lora=lora)
    for turn in range(12):
        conversation.add(words(20, turn))
    warnings = [block.warning for block in conversation.learn() if block.warning]
    assert any("last good state" in text for text in warnings) and lora.rate < 5.0


def test_a_step_that_failed_is_taken_again_and_leaves_no_gradient(backbone, lora, monkeypatch):
    def taught(fails):
        lora.load(fresh)
        conversation = Conversation(backbone, HEAD, SHAPE, lora=lora)
        for turn in range(4):
            conversation.add(words(20, turn))
        if fails:
            with monkeypatch.context() as patched, pytest.raises(torch.OutOfMemoryError):
                taken = lora.step

                def short(loss):
                    loss.backward()
                    raise torch.OutOfMemoryError("after backward")

                patched.setattr(lora, "step", short)
                list(conversation.learn())
            assert lora.step == taken
        return [block.nll for block in conversation.learn()], lora.sha256()

    fresh = lora.state()
    assert taught(False) == taught(True)


def test_undo_is_as_if_it_was_never_said(backbone):
    one, other = Conversation(backbone, HEAD, SHAPE), Conversation(backbone, HEAD, SHAPE)
    for conversation in (one, other):
        said(conversation, words(20, 1))
    said(one, words(25, 2))
    said(one, words(5, 3))
    assert one.undo() and one.undo()
    assert said(one, words(9, 4)) == said(other, words(9, 4))


def test_undo_of_everything_leaves_the_head(backbone):
    conversation = Conversation(backbone, HEAD, SHAPE)
    first = said(conversation, words(9, 0))
    assert conversation.undo() and not conversation.undo()
    assert len(conversation) == len(HEAD)
    assert said(conversation, words(9, 0)) == first


def test_undo_far_along_brings_the_window_back(backbone):
    """All but exactly: the oldest keys in sight were made from what is no longer encoded."""
    one, other = Conversation(backbone, HEAD, SHAPE), Conversation(backbone, HEAD, SHAPE)
    for turn in range(8):
        for conversation in (one, other):
            conversation.undo() if turn == 0 else None
            said(conversation, words(14, turn), count=0)
    said(one, words(30, 9), count=3)
    one.undo()
    ids = torch.tensor(words(6, 10))
    states = []
    for conversation in (one, other):
        said(conversation, words(1, 11), count=0)
        with torch.no_grad():
            states.append(conversation._policy.forward(ids))
            conversation._policy.commit()
    near = (states[0] - states[1]).norm() / states[1].norm()
    assert near < 0.02


def test_closed_early_it_holds_what_was_given_out(backbone):
    conversation = Conversation(backbone, HEAD, SHAPE)
    with closing(conversation.answer(words(9, 0), max_tokens=20, sampling=WARM)) as tokens:
        given = [next(tokens) for _ in range(3)]
    assert len(conversation) == len(HEAD) + 9 + 3
    stream = [*HEAD, *words(9, 0), *given]
    assert said(conversation, words(4, 1)) == plain(backbone, [*stream, *words(4, 1)])


def test_torn_in_the_middle_of_a_token_it_recovers(backbone, monkeypatch):
    conversation = Conversation(backbone, HEAD, SHAPE)
    tokens = conversation.answer(words(9, 0), max_tokens=20, sampling=WARM)
    given = [next(tokens), next(tokens)]
    with monkeypatch.context() as patch:
        patch.setattr(backbone, "decoder", None)  # whatever is called next fails, after the cache made room
        with pytest.raises(TypeError):
            next(tokens)
    stream = [*HEAD, *words(9, 0), *given]
    assert said(conversation, words(4, 1)) == plain(backbone, [*stream, *words(4, 1)])


def test_without_words_it_goes_on(backbone):
    one, other = Conversation(backbone, HEAD, SHAPE), Conversation(backbone, HEAD, SHAPE)
    greedy = Sampling()
    whole = said(one, words(9, 0), count=8, sampling=greedy)
    half = said(other, words(9, 0), count=4, sampling=greedy)
    assert [*half, *said(other, [], count=4, sampling=greedy)] == whole
    other.undo()
    assert len(other) == len(HEAD) + 9 + 4
    with pytest.raises(ValueError, match="at least one token"):
        said(Conversation(backbone, [], SHAPE), [])


def test_broken_off_while_the_end_is_encoded_again_nothing_is_lost(backbone, monkeypatch):
    conversation = Conversation(backbone, HEAD, SHAPE)
    said(conversation, words(9, 0))
    stream = [*conversation._stream]

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("longread.engine.conversation.fresh_policy", stopped)
        with pytest.raises(KeyboardInterrupt):
            said(conversation, [])
    conversation.undo()
    assert [*conversation._stream] == stream


def test_added_turns_are_said(backbone):
    conversation = Conversation(backbone, HEAD, SHAPE)
    conversation.add(words(12, 0))
    assert said(conversation, words(4, 1)) == plain(backbone, [*HEAD, *words(12, 0), *words(4, 1)])
    assert conversation.turns == 2


def test_a_stop_token_ends_a_turn_and_is_not_said(backbone):
    conversation = Conversation(backbone, HEAD, SHAPE)
    first = said(conversation, words(9, 0))[0]
    conversation.undo()
    assert list(conversation.answer(words(9, 0), max_tokens=6, sampling=WARM, stop_ids={first})) == []
    assert len(conversation) == len(HEAD) + 9


def test_only_what_left_the_window_is_learned(backbone, lora):
    conversation = Conversation(backbone, HEAD, SHAPE, lora=lora)
    before = lora.sha256()
    said(conversation, words(WINDOW - SINKS - 1 - 6, 0))
    assert (conversation.waiting, [*conversation.learn()], lora.sha256()) == (0, [], before)
    said(conversation, words(14, 1))
    assert conversation.waiting == 20
    learned = [*conversation.learn()]
    assert [block.tokens for block in learned] == [8, 8] and conversation.waiting == 4
    assert lora.steps == 2 and lora.sha256() != before


def test_its_own_words_are_never_learned(backbone, lora):
    conversation = Conversation(backbone, HEAD, SHAPE, lora=lora)
    conversation.add(words(5, 0), words(19, 1))
    conversation.add(words(60, 2))
    learned = conversation.learn()
    first = next(learned)
    assert first.tokens == 5
    stream = torch.tensor([*HEAD, *words(5, 0), *words(3, 1)])
    with torch.no_grad(), lora.off():
        logits = backbone.model(stream[None]).logits[0]
    theirs = slice(len(HEAD), len(HEAD) + 5)
    expected = torch.nn.functional.cross_entropy(logits[len(HEAD) - 1 : len(HEAD) + 4], stream[theirs])
    assert first.nll == pytest.approx(float(expected), rel=1e-5)
    # Two blocks of the model's own bring no step.
    assert next(learned).tokens == 8 and lora.steps == 2


def test_what_is_learned_is_scored_first(backbone, lora):
    conversation = Conversation(backbone, HEAD, SHAPE, lora=lora)
    ids = words(60, 0)
    conversation.add(ids)
    (first, *_) = conversation.learn()
    sequence = torch.tensor([*HEAD[:SINKS], *[*HEAD, *ids][SINKS : len(HEAD) + 8]])
    with torch.no_grad(), lora.off():
        logits = backbone.model(sequence[None]).logits[0]
    expected = torch.nn.functional.cross_entropy(logits[-9:-1], sequence[-8:])
    assert first.nll == pytest.approx(float(expected), rel=1e-5)


def test_undo_brings_the_adapter_back(backbone, lora):
    conversation = Conversation(backbone, HEAD, SHAPE, lora=lora)
    hashes = [lora.sha256()]
    for turn in range(4):
        said(conversation, words(30, turn))
        assert [*conversation.learn()]
        hashes.append(lora.sha256())
    assert len({*hashes}) == 5
    for expected in hashes[-2::-1]:
        conversation.undo()
        assert lora.sha256() == expected
    assert conversation.turns == 0
    said(conversation, words(30, 0))
    said(conversation, words(30, 1))
    [*conversation.learn()]
    assert lora.sha256() == hashes[2]


def test_settled_the_adapter_stays(backbone, lora):
    conversation = Conversation(backbone, HEAD, SHAPE, lora=lora)
    said(conversation, words(60, 0))
    assert [*conversation.learn()]
    after = lora.sha256()
    conversation.settle()
    conversation.undo()
    assert lora.sha256() == after and [*conversation.learn()] == []


def test_a_model_without_a_cache_of_ours_talks_too():
    backbone = Backbone(tiny_model("llama"), stateful=False)
    conversation = Conversation(backbone, HEAD, SHAPE)
    for turn in range(4):
        assert len(said(conversation, words(12, turn))) == 6
    conversation.undo()
    assert conversation.turns == 3 and len(said(conversation, words(12, 3))) == 6
