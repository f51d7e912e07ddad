"""Thoughts are no answer, however they are cut into pieces."""

from __future__ import annotations

import pytest

from longread.engine.decode import Ended, generate, text
from longread.engine.thoughts import Thoughts
from longread.events import Text

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


def test_what_is_generated_holds_the_answer_only():
    class Speller:
        def push(self, token: int) -> str:
            return chr(token)

        def finish(self) -> str:
            return ""

    ids = [ord(c) for c in "<think>hm</think>\nTo Gull Yard."]
    events = list(generate(iter(ids), Speller()))
    assert "".join(text(events)) == "To Gull Yard."
    assert isinstance(events[-1], Ended) and list(events[-1].ids) == ids
    assert all(isinstance(event, Text) for event in events[:-1])
