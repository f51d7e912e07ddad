"""Thoughts are no answer, however they are cut into pieces."""

from __future__ import annotations

import pytest

from longread.engine.decode import Ended, collected, generate
from longread.engine.thoughts import Thoughts
from longread.events import Progress, Text
from tests.tasks.scripted import finish

CASES = {
    "<think>\nThe ferry?\n</think>\n\nTo Gull Yard.": "To Gull Yard.",
    "\n <think></think>Yes.": "Yes.",
    "Yes. <think>no</think>": "Yes. <think>no</think>",
    "<thin ice": "<thin ice",
    " <thi": " <thi",
    "<think> and on and on": "",
    "<think>a</think>": "",
    "  plain": "  plain",
    "": "",
}


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("whole", CASES)
def test_in_pieces_of_any_size(whole, size):
    thoughts = Thoughts()
    pieces = [thoughts.push(whole[at : at + size]) for at in range(0, len(whole), size)]
    assert "".join([*pieces, thoughts.finish()]) == CASES[whole]


class Speller:
    def push(self, token: int) -> str:
        return chr(token)

    def finish(self) -> str:
        return ""


def test_what_is_generated_holds_the_answer_only():
    ids = [ord(c) for c in "<think>hm</think>\nTo Gull Yard."]
    events = list(generate(iter(ids), Speller()))
    assert "".join(event.text for event in events if isinstance(event, Text)) == "To Gull Yard."
    assert isinstance(events[-1], Ended) and list(events[-1].ids) == ids
    assert all(isinstance(event, Text | Progress) for event in events[:-1])


def test_while_a_model_thinks_it_says_that_it_does():
    ids = [ord(c) for c in "<think>" + "hm, " * 10 + "</think>To Gull Yard."]
    events = list(generate(iter(ids), Speller()))
    signs = [event for event in events if isinstance(event, Progress)]
    assert [(event.phase, event.done, event.total) for event in signs] == [
        ("thinking", 16, 0),
        ("thinking", 32, 0),
        ("thinking", 48, 0),
    ]
    assert events.index(signs[-1]) < events.index(Text("T"))
    beat = Progress("translating", 1, 2, "segments")
    given = list(collected(iter_of(events), beat))
    assert given and set(given) == {beat}
    assert finish(collected(iter_of(events), beat))[0] == "To Gull Yard."


def iter_of(events):
    yield from events
