"""A stretch of a book as a conversation: each sentence a turn, each translation its answer.

Knows the model's template and how many tokens everything takes. Knows nothing of how an
answer is written, checked or kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from longread.tasks import prompts
from longread.tasks.translate.checks import Pair

if TYPE_CHECKING:
    from longread.model.chat import Chat

_TITLE = 60  # characters of a title that go into the prompt


@dataclass(frozen=True)
class Lesson:
    """What can be learned from a conversation: ``ids`` as the model sees them, and the spans
    [start, end) of the answers that count."""

    ids: tuple[int, ...]
    answers: tuple[tuple[int, int], ...]


class Conversation:
    """Grows by one pair after the other. ``parts`` are its ids, cut after each question.

    ``ModelError`` for a template that cannot be taken turn by turn.
    """

    def __init__(self, chat: Chat, encoder: Any, pair: Pair, title: str, terms: Mapping[str, str]) -> None:
        from longread.model.turns import Turns

        self._encoder = encoder
        self._pair = pair
        self._turns = Turns(chat, self._told(title, terms)[0])
        head = tuple(self._turns.head)
        self.parts: list[tuple[int, ...]] = [head] if head else []
        self._lead: tuple[int, ...] = ()  # the last answer
        self._pairs = 0
        self._answers: list[tuple[int, int]] = []

    def __len__(self) -> int:
        """Tokens so far, the last answer included."""
        return sum(map(len, self.parts)) + len(self._lead)

    @property
    def turn(self) -> int:
        """Tokens that the template and the prompt put around each sentence but the first."""
        return len(self._turns.turn(self._told("", {})[1], first=False))

    def ask(self, sentence: str) -> list[tuple[int, ...]]:
        """The parts of the conversation as it is where ``sentence`` is to be answered."""
        turn = self._turns.turn(self._told("", {}, sentence)[1], first=self._pairs == 0)
        return [*self.parts, (*self._lead, *turn)]

    def accept(self, parts: list[tuple[int, ...]], answer: str, *, counts: bool = True) -> None:
        """``answer`` was given to the question of ``parts``; ``counts`` if it is to be learned from."""
        self.parts, self._pairs = parts, self._pairs + 1
        self._lead = tuple(self._encoder.cutter.onward.encode(answer, add_special_tokens=False).ids)
        end = len(self)
        if counts:
            self._answers.append((end - len(self._lead), end))

    def settle(self) -> None:
        """All so far is one part: what came before, to be encoded in one go."""
        self.parts = [tuple(token for part in self.parts for token in part)]

    def lesson(self) -> Lesson:
        """What can be learned from the answers that count, the mark that ends each among them."""
        ids = [token for part in self.parts for token in part] + list(self._lead)
        if self._lead:
            ids.append(self._turns.turn("", first=False)[0])
        return Lesson(tuple(ids), tuple((start, end + 1) for start, end in self._answers))

    def _told(self, title: str, terms: Mapping[str, str], sentence: str = "") -> tuple[str, str]:
        listed = "".join(f"\n{name} = {rendering}" for name, rendering in terms.items())
        return prompts.prompt("translate").fill(
            title=title[:_TITLE],
            source=prompts.language_name(self._pair.src),
            target=prompts.language_name(self._pair.tgt),
            terms=f"\nNames:{listed}" if listed else "",
            sentence=sentence,
        )
