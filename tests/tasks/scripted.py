"""A scripted hand in the place of a model's that can write, and runs of the abstract with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from longread.config import Memory, Options
from longread.errors import Interrupted
from longread.reader.sentences import sentences
from longread.tasks import reading
from longread.tasks.abstract import Counts, abstract
from longread.tasks.abstract.lengths import Meter

WINDOW = 1024
OPTIONS = Options(memory=Memory(learn=False, block=256))
KINDS = {"Write a note": "note", "Write what these": "merge", "Write it again": "more"}


@dataclass
class Asked:
    """One prompt that the hand was given."""

    kind: str
    prompt: list[int]
    max_tokens: int
    greedy: bool
    text: str
    source: str
    length: int
    closed: bool = False


@dataclass
class Hand:
    """Writes what ``script(asked)`` says; without one, as long as it was asked to."""

    encoder: object
    script: object = None
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, prompt_ids, *, max_tokens, sampling, seed):
        text = self.encoder.decode(prompt_ids)
        kind = next(kind for words, kind in KINDS.items() if words in text)
        source = text.split("\n-----\n")[1]
        length = int(re.search(r"of about ([\d,]+) (?:words|characters)", text)[1].replace(",", ""))
        asked = Asked(kind, list(prompt_ids), max_tokens, sampling.temperature == 0, text, source, length)
        self.asked.append(asked)
        said = honest(asked) if self.script is None else self.script(asked)
        ids = said if isinstance(said, list) else self.encoder.encode(said)
        try:
            yield from ids[:max_tokens]
            return "length" if len(ids) >= max_tokens else "stop"
        finally:
            asked.closed = True

    def of(self, kind: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.kind == kind]


def honest(asked: Asked, share: float = 1.0) -> str:
    """Sentences of eight words of the source, in its order, spread over it, until the length is reached."""
    words = re.findall(r"[^\W\d_]+", asked.source)
    count = max(1, min(round(asked.length * share / 8), len(words) // 9))
    starts = [int(k * (len(words) - 8) / count) for k in range(count)]
    return " ".join(" ".join(words[at : at + 8]).capitalize() + "." for at in starts)


def run(
    loaded, hand, wanted=150, *, by="book", part="1", lang=None, options=OPTIONS, stop=None, path="sample:en"
):
    """Summary, partial, events, job, counts. Where ``stop(event)`` first holds, Interrupted is thrown in."""
    counts, events, thrown = Counts(), [], False
    with reading.opened(path, replace(options, part=part)) as job:
        task = abstract(job, loaded, wanted, by=by, lang=lang, write=hand, counts=counts)
        try:
            event = next(task)
            while True:
                events.append(event)
                if stop is not None and not thrown and stop(event):
                    thrown = True
                    event = task.throw(Interrupted("interrupted"))
                else:
                    event = next(task)
        except StopIteration as end:
            summary, partial = end.value
    return summary, partial, events, job, counts


def squeezed(text: str) -> str:
    return "".join(text.split())


def finish(task):
    """What a generator returns."""
    try:
        while True:
            next(task)
    except StopIteration as end:
        return end.value


def writer_of(loaded, hand, job, *, window=WINDOW, language="en"):
    from longread.model.chat import Chat
    from longread.tasks.abstract.writer import Writer

    chat = Chat(loaded.found.folder, loaded.encoder)
    sample = "".join(job.document.text(0, 20_000))
    meter = Meter(loaded.encoder, language, sample, job.document.language)
    titles = [chapter.title for chapter in job.document.chapters]
    return Writer(hand, chat, loaded.encoder, meter, window=window, title="T", chapters=titles)


def sentences_of(text: str) -> list[str]:
    return [" ".join(text[start:end].split()) for start, end in sentences(text, "en")]
