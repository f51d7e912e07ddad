"""What someone types, paragraph by paragraph, with a stand-in at the model's boundary."""

from __future__ import annotations

import pytest

from longread.errors import Interrupted
from longread.events import Progress, Text
from longread.tasks.translate import typed as module
from longread.tasks.translate.typed import Typed
from tests.tasks.translating import OPTIONS, Dictionary, english, story


@pytest.fixture
def typed(loaded, monkeypatch):
    monkeypatch.setattr(module, "trusted", lambda *_, **__: loaded)
    hand = Dictionary(loaded.encoder)
    with Typed(OPTIONS, src="zh", tgt="en", anyway=True, write=hand) as opened:
        list(opened.begin())
        yield opened, hand


def test_a_paragraph_is_translated_with_those_before_as_its_context(typed):
    opened, hand = typed
    first, second = story(8).split("\n\n")
    *_, said = opened.say(first)
    assert isinstance(said, Text)
    assert said.text.split() == " ".join(english(s + "。") for s in first.split("。") if s).split()
    list(opened.say(second.strip()))
    assert first.split("。")[0] in hand.asked[4].text


def test_it_tells_how_far_it_is_and_can_be_stopped_between_two_sentences(typed):
    opened, hand = typed
    events = opened.say(story(12, per_paragraph=12).strip())
    found = next(event for event in events if isinstance(event, Progress) and event.done)
    assert (found.done, found.total) == (1, 12)
    with pytest.raises(Interrupted):
        events.throw(Interrupted("interrupted"))
    assert len(hand.asked) == 1
