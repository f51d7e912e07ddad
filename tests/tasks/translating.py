"""A stand-in that translates from a word list in the model's place, and runs of a translation with it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field

from longread.config import Memory, Options
from longread.errors import Interrupted
from longread.events import Done
from longread.tasks import reading
from longread.tasks.translate.checks import Pair
from longread.tasks.translate.wish import Wish
from longread.tasks.translate.work import translation_of

OPTIONS = Options(memory=Memory(learn=False, block=128, window=512))
ZH_EN = Pair("zh", "en")
USER, ASSISTANT = 2, 3  # pocket's marks of a turn
NAMES = {"王小明": "Wang Xiaoming", "李秋菊": "Li Qiuju", "老陈": "Old Chen"}
WORDS = {
    **NAMES,
    "河边": "the riverside",
    "市场": "the market",
    "学校": "the school",
    "看见": "saw",
    "想起": "remembered",
    "数了": "counted",
    "船": "boats",
    "鹤": "cranes",
    "灯": "lamps",
    "在": "at",
    "只": "",
    "昨天": "yesterday",
    "今天": "today",
    "。": ".",
    "，": ",",
    "！": "!",
}
_WORD = re.compile("|".join(sorted(map(re.escape, WORDS), key=len, reverse=True)) + r"|\d+|.", re.DOTALL)


def story(sentences: int, per_paragraph: int = 4) -> str:
    """Sentences that the word list knows, no two the same, in paragraphs."""
    names, places = [*NAMES], ["河边", "市场", "学校"]
    verbs, things, days = ["看见", "想起", "数了"], ["船", "鹤", "灯"], ["昨天", "今天"]
    made = []
    for n in range(sentences):
        who, when, where = names[n % 3], days[n % 2], places[n // 2 % 3]
        made.append(f"{who}{when}在{where}{verbs[n // 3 % 3]}{n + 20}只{things[n // 5 % 3]}。")
    lines = ["".join(made[at : at + per_paragraph]) for at in range(0, sentences, per_paragraph)]
    return "\n\n".join(lines) + "\n"


def english(source: str) -> str:
    """``source`` word by word."""
    words = [WORDS.get(word, word) for word in _WORD.findall(source)]
    text = re.sub(r"\s+([.,!])", r"\1", " ".join(filter(None, words)))
    return text[:1].upper() + text[1:]


@dataclass
class Asked:
    """One try that the stand-in was asked for."""

    source: str
    text: str  # the whole conversation
    parts: list[list[int]]
    max_tokens: int
    greedy: bool
    seed: int

    @property
    def tokens(self) -> int:
        return sum(map(len, self.parts))


@dataclass
class Dictionary:
    """Says what ``script(asked)`` says, ids or text; without one, or where that is None, it translates."""

    encoder: object
    script: object = None
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, parts, *, max_tokens, sampling, seed):
        ids = [token for part in parts for token in part]
        last = len(ids) - 1 - ids[::-1].index(USER)
        assert ids[-1] == ASSISTANT
        source = self.encoder.decode(ids[last + 1 : -1])
        text = " | ".join(self._turns(ids))
        asked = Asked(source, text, [*map(list, parts)], max_tokens, sampling.temperature == 0, seed)
        self.asked.append(asked)
        said = self.script(asked) if self.script is not None else None
        said = english(source) if said is None else said
        ids = said if isinstance(said, list) else self.encoder.encode(said)
        yield from ids[:max_tokens]
        return "length" if len(ids) > max_tokens else "stop"

    def _turns(self, ids):
        held = []
        for token in [*ids, USER]:
            if token in (USER, ASSISTANT) and held:
                yield self.encoder.decode(held).strip()
                held = []
            elif token > ASSISTANT:
                held.append(token)

    def sources(self) -> list[str]:
        return [asked.source for asked in self.asked]


@contextmanager
def job_of(path, part=None, **changes):
    """The job of a text at ``path``."""
    from dataclasses import replace

    with reading.opened(str(path), replace(OPTIONS, part=part, **changes)) as job:
        yield job


def run(loaded, path, hand, *, pair=ZH_EN, part=None, stop=None, wish=None, options=None):
    """The events of a translation; where ``stop(event)`` first holds, Interrupted is thrown in."""
    events, thrown = [], False
    with job_of(path, part, **(options or {})) as job:
        task = translation_of(job, loaded, Wish(pair, **(wish or {})), write=hand)
        try:
            event = next(task)
            while True:
                events.append(event)
                if stop is not None and not thrown and stop(event):
                    thrown = True
                    event = task.throw(Interrupted("interrupted"))
                else:
                    event = next(task)
        except StopIteration:
            pass
    return events


def done(events) -> Done:
    """The last event."""
    assert isinstance(events[-1], Done)
    return events[-1]


def segments(events):
    """The result's segments."""
    return done(events).result.segments


def pairs(events):
    """(source, target) of each segment."""
    return [(segment.source, segment.target) for segment in segments(events)]
