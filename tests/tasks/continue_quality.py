"""Does learning while writing help? Figures for ``continue``, arm by arm, with the bundled model.

    python -m tests.tasks.continue_quality truth BOOK… [--read 40000] [--tokens 20000] [--kept FILE]
    python -m tests.tasks.continue_quality written BOOK… [--read 40000] [--tokens 2000] [--kept FILE]

``truth``: the first tokens of a book are read, and its next ones are said to the loop of
``engine/writing.py`` as if it had written them, each scored before its block is learned: perplexity by
distance. ``written``: as many are written with the defaults of ``continue`` by three seeds, and the share
of their n-grams that are distinct is counted, beside that of the book's own next tokens.

Arms: none (no adapter), read (an adapter that learned while reading, and no more), learn (it learns on;
the window is encoded again when it was written full), learn1 (after each block). A result is a line of
FILE as soon as it is there, and is not computed again.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from longread.config import Memory, Options
from longread.engine.decode import Ended
from longread.engine.drawing import Sampling
from longread.engine.session import Session
from longread.engine.writing import Writing, write
from longread.events import Note
from longread.model.tokens import Encoder
from longread.reader.blocks import blocks
from longread.tasks import reading

# Whether an arm learns while reading, whether while writing, and when the window is encoded again.
ARMS = {
    "none": (False, False, None),
    "read": (True, False, None),
    "learn": (True, True, None),
    "learn1": (True, True, 1),
}
BIN = 2500  # tokens
SEEDS = (0, 1, 2)
SAMPLING = Sampling(temperature=0.8, top_p=0.95, repetition_penalty=1.1)


@dataclass(frozen=True)
class Read:
    """A session that has read, the ids that it read and the book's next ones."""

    session: Session
    state: dict[str, Any]
    encoder: Encoder
    past: list[int]
    nexts: list[int]
    cost: dict[str, float]

    def writing(self, arm: str) -> Writing:
        """The loop of an arm, from where the reading ended."""
        self.session.load(self.state)
        _, learn, reuse = ARMS[arm]
        return Writing(self.session, self.past, learn=learn, reuse=reuse)


@contextmanager
def read(path: Path, learn: bool, count: int, tokens: int) -> Iterator[Read]:
    """Read ``count`` tokens of a book, with an adapter or without."""
    options = Options(save=False)
    with reading.opened(str(path), options) as job:
        loaded = reading.load(job)
        shape = reading.shape_of(loaded, options)
        with Session(loaded.backbone, loaded.prefix, shape, Memory(learn=learn)) as session:
            stream = blocks(job.document, loaded.encoder, shape.block)
            began, nll, past = time.perf_counter(), 0.0, []
            for block in islice(stream, count // shape.block):
                nll += session.step(block)[-1].nll
                past += block.ids.tolist()
            seconds = time.perf_counter() - began
            nexts = [int(t) for block in islice(stream, tokens // shape.block + 1) for t in block.ids]
            cost = {"read": len(past), "reading": math.exp(nll / len(past)), "reading_seconds": seconds}
            yield Read(session, session.state(), loaded.encoder, past, nexts[:tokens], cost)


def truth(ready: Read, arm: str) -> dict[str, Any]:
    """Perplexity of the book's next tokens, in bins of distance and over all."""
    writing, began = ready.writing(arm), time.perf_counter()
    nll = writing.say(ready.nexts).double()
    found = {str(at): float(nll[at : at + BIN].mean().exp()) for at in range(0, len(nll), BIN)}
    seconds = time.perf_counter() - began
    return {"perplexity": found, "all": float(nll.mean().exp()), "tokens": len(nll), "seconds": seconds}


def written(ready: Read, arm: str) -> dict[str, Any]:
    """Distinct n-grams of what is written, circles and seconds: means over the seeds."""
    rows = []
    for seed in SEEDS:
        began, speller = time.perf_counter(), ready.encoder.streamer()
        options = {"max_tokens": len(ready.nexts), "sampling": SAMPLING, "seed": seed}
        events = list(write(ready.writing(arm), speller, never=ready.encoder.special_ids(), **options))
        assert isinstance(events[-1], Ended)
        circles = sum(isinstance(event, Note) for event in events) + (events[-1].reason == "loop")
        counts = {"circles": circles, "tokens": len(events[-1].ids), "seconds": time.perf_counter() - began}
        rows.append(distinct(events[-1].ids) | counts)
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def distinct(ids: Sequence[int]) -> dict[str, float]:
    """Share of n-grams that are distinct, n from 1 to 4."""
    runs = {n: [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)] for n in (1, 2, 3, 4)}
    return {f"distinct-{n}": len({*found}) / max(1, len(found)) for n, found in runs.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("truth", "written"))
    parser.add_argument("books", nargs="+", type=Path)
    parser.add_argument("--read", type=int, default=40_000)
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--kept", type=Path)
    given = parser.parse_args(arguments)
    tokens = given.tokens or (20_000 if given.what == "truth" else 2_000)
    measure = truth if given.what == "truth" else written
    rows = [json.loads(line) for line in given.kept.open()] if given.kept and given.kept.exists() else []
    for book in given.books:
        key = {"what": given.what, "book": book.name, "count": given.read, "asked": tokens}
        done = {row["arm"] for row in rows if row.items() >= key.items()}
        for learn in (False, True):
            arms = [arm for arm in given.arms.split(",") if ARMS[arm][0] == learn and arm not in done]
            if not arms:
                continue
            with read(book, learn, given.read, tokens) as ready:
                for arm in arms:
                    rows.append({**key, "arm": arm, **measure(ready, arm), **ready.cost})
                    print(json.dumps(rows[-1]), flush=True)
                    if given.kept:
                        with given.kept.open("a") as file:
                            file.write(json.dumps(rows[-1]) + "\n")
                if given.what == "written" and not learn:
                    print(json.dumps({**key, "arm": "the book itself", **distinct(ready.nexts)}), flush=True)


if __name__ == "__main__":
    main()
