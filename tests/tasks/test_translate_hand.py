"""The model's own hand for translations, and what the adapter learns from them."""

from __future__ import annotations

import random

import pytest
import torch

from longread.config import Memory
from longread.engine.decode import generate_ids
from longread.engine.drawing import GREEDY, Sampling
from longread.engine.session import Session
from longread.memory.policy import make_policy
from longread.model.chat import Chat, Message
from longread.tasks import reading
from longread.tasks.translate.conversation import Conversation
from longread.tasks.translate.hand import Hand
from longread.tasks.translate.lessons import Pupil
from tests.tasks.translating import OPTIONS, ZH_EN, english, story

DRAWN = Sampling(temperature=0.9)


@pytest.fixture
def session(loaded, request):
    memory = getattr(request, "param", Memory(learn=False))
    shape = reading.shape_of(loaded, OPTIONS)
    with Session(loaded.backbone, loaded.prefix, shape, memory) as opened:
        yield opened


def parts_of(count: int, seed: int = 0) -> list[list[int]]:
    chance = random.Random(seed)
    sizes = [chance.randint(20, 60), *(chance.randint(2, 20) for _ in range(count - 1))]
    return [[0, *(chance.randrange(5, 10_000) for _ in range(size))] for size in sizes]


def written(hand, parts, sampling=GREEDY, count=6):
    return [*hand(parts, max_tokens=count, sampling=sampling, seed=3)]


def state_of(hand):
    return hand._policy.state()


def test_it_writes_what_a_fresh_conversation_writes(loaded, session):
    """The oracle: the whole prompt in a policy of its own, by the decoder that every task uses."""
    hand, parts = Hand(session, frozenset()), parts_of(4)
    for n in range(1, 5):
        policy = make_policy("sink", loaded.backbone, window=512, sinks=session.shape.sinks)
        whole = [token for part in parts[:n] for token in part]
        expected = [*generate_ids(policy, loaded.backbone, whole, max_tokens=6)]
        assert written(hand, parts[:n]) == expected


def test_what_was_written_before_leaves_no_trace(session):
    """Bit for bit: asked in order, after failures, or out of the blue, as after a kill."""
    parts, other = parts_of(4), parts_of(5, seed=1)
    steady, broken = Hand(session, frozenset()), Hand(session, frozenset())
    for n in range(1, 4):
        written(steady, parts[:n])
    written(steady, parts)
    for n in range(1, 4):
        written(broken, parts[:n], DRAWN, count=n)
        written(broken, [*parts[:n], other[n]])  # a sentence that failed
        written(broken, [*parts[:n], other[n]], DRAWN)  # and failed again
    late = Hand(session, frozenset())
    for hand in (steady, broken, late):
        hand._encode([tuple(part) for part in parts])
    for hand in (broken, late):
        for name, tensor in state_of(steady).items():
            assert torch.equal(tensor, state_of(hand)[name]), name
    assert written(broken, parts, DRAWN) == written(late, parts, DRAWN) == written(steady, parts, DRAWN)


def test_what_is_held_is_not_encoded_again(session, monkeypatch):
    hand, parts, fed = Hand(session, frozenset()), parts_of(4), []
    feed = Hand._feed
    monkeypatch.setattr(Hand, "_feed", lambda self, ids: (fed.append(len(ids)), feed(self, ids)))
    for n in range(1, 5):
        written(hand, parts[:n])
    assert sum(fed) == sum(map(len, parts)) - 1
    written(hand, parts)
    written(hand, [*parts[:3], [7, 8, 9]])
    assert sum(fed) == sum(map(len, parts)) - 1 + 3


def test_a_conversation_is_the_template_of_its_messages(loaded):
    chat = Chat(loaded.found.folder, loaded.encoder)
    talk = Conversation(chat, loaded.encoder, ZH_EN, "A Book", {"老陈": "Old Chen"})
    messages = [Message("system", talk._told("A Book", {"老陈": "Old Chen"})[0])]
    assert "老陈 = Old Chen" in messages[0].content and "A Book" in messages[0].content
    for source in story(3, 1).split():
        parts = talk.ask(source)
        messages.append(Message("user", source))
        assert [token for part in parts for token in part] == chat.ids(messages)
        talk.accept(parts, english(source), counts=len(messages) > 2)
        messages.append(Message("assistant", english(source)))
    lesson = talk.lesson()
    texts = [loaded.encoder.decode(lesson.ids[start : end - 1]) for start, end in lesson.answers]
    assert texts == [english(source) for source in story(3, 1).split()[1:]]
    assert {lesson.ids[end - 1] for _, end in lesson.answers} <= chat.stop_ids


@pytest.mark.parametrize("session", [Memory(learn=True, rank=4)], indirect=True)
def test_a_lesson_is_one_step_on_the_answers_alone(loaded, session):
    chat = Chat(loaded.found.folder, loaded.encoder)
    talk = Conversation(chat, loaded.encoder, ZH_EN, "", {})
    for source in story(4, 1).split():
        talk.accept(talk.ask(source), english(source), counts="22只" in source or "23只" in source)
    lesson = talk.lesson()
    assert len(lesson.answers) == 2
    pupil, ids = Pupil(session, None), torch.tensor(lesson.ids)
    # The naive loop: stock logits, token by token, of the answers that count.
    logits = loaded.backbone.logits(loaded.backbone.hidden(ids)).log_softmax(-1)
    expected = [-logits[at - 1, ids[at]] for start, end in lesson.answers for at in range(start, end)]
    targets = torch.cat([torch.arange(start, end) for start, end in lesson.answers])
    with torch.no_grad():
        assert torch.allclose(pupil._nll(ids, targets), torch.stack(expected), atol=1e-4)
        before = pupil._nll(ids, targets).mean()
    for _ in range(6):
        assert [*pupil.learn(lesson)] == []
    with torch.no_grad():
        assert pupil._nll(ids, targets).mean() < before - 0.1
    assert session.lora.steps == 6 and pupil.tokens == 6 * len(targets)
