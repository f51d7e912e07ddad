"""A chat template taken apart, so that a conversation can be encoded turn by turn.

Knows what a template writes before the first turn, around a user's words and after an
answer. Knows no model, no window and nothing of what is said.
"""

from __future__ import annotations

from longread.errors import ModelError
from longread.model.chat import Chat, Message


class Turns:
    """The ids of a conversation in pieces: ``head``, then ``turn`` after ``turn``.

    ``head`` are the ids before the first turn, the ``system`` message among them; they may
    be none. Head, turns and answers in a row are what ``Chat.ids`` gives for the whole
    conversation. ``ModelError`` for a template that cannot be taken apart: one that writes
    a message twice or in another order.
    """

    def __init__(self, chat: Chat, system: str = "") -> None:
        self._chat = chat
        self.stop_ids = chat.stop_ids
        opening = [Message("system", system)] if system else []
        said = [Message("user", "a"), Message("assistant", "b")]
        own, contents = chat.rendered([*opening, *said, Message("user", "c")], answer=True)
        closed, _ = chat.rendered([*opening, *said], answer=False)
        if contents[-2:] != ["b", "c"] or not contents[-3].endswith("a") or len(contents) > 4:
            raise ModelError("the model's chat template cannot be taken turn by turn", "use another model")
        # A template without a system role has it before the first user's words.
        self._before = contents[-3].removesuffix("a")
        *before, first, _, between, self._answer = own
        after = closed[-1] if between.startswith(closed[-1]) else ""
        opens = between[len(after) :]
        self._between = between
        # What opens a turn belongs to the turn, all else before it to the head.
        self._first = opens if opens and first.endswith(opens) else ""
        head = first.removesuffix(self._first) if self._first else first
        self.head: list[int] = chat.encode([*before, head], contents[:-3])

    def turn(self, text: str, *, first: bool) -> list[int]:
        """Ids from the end of the answer before to the head of the one that comes next."""
        if first:
            return self._chat.encode([self._first, self._answer], [self._before + text], first=not self.head)
        return self._chat.encode([self._between, self._answer], [text], first=False)
