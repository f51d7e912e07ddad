"""Starts ``longread`` in a process of its own, without a network, for the tests.

``launch.py ARGUMENTS…`` runs the real program; with LONGREAD_STAND_IN=1 its tasks are
replaced by short ones that need no model and misbehave on request, by the file's name.
"""

from __future__ import annotations

import os
import sys
import time
import types
from dataclasses import dataclass

from longread.errors import InputError, Interrupted
from longread.events import Done, Loaded, Note, Opened, Planned, Progress, Text

HOSTILE = "\x1b[31mred\x1b]0;owned\x07 [bold]bold[/bold] \u202eevil\u2066 \x9b2J :smile:"
CHAPTERS = ("One", "Two", "第三回")


@dataclass(frozen=True)
class Section:
    chapter: str
    text: str
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Name:
    name: str
    count: int
    chapter: str


@dataclass(frozen=True)
class Summary:
    summary: str
    sections: tuple[Section, ...]
    names: tuple[Name, ...]


@dataclass(frozen=True)
class Segment:
    from_: float
    to: float
    perplexity: float


@dataclass(frozen=True)
class Arm:
    perplexity: float
    bits_per_byte: float
    nll: float
    tokens: int
    tokens_per_second: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Score:
    arms: dict[str, Arm]


@dataclass(frozen=True)
class Reading:
    reading: None
    path: None
    blocks: int
    resumed_at: int
    adapter_sha256: str | None


def _document(path: str) -> dict:
    hostile = "hostile" in path
    return {
        "title": f"A [red]Title[/red]{HOSTILE}" if hostile else "西游记" if "cjk" in path else "A Title",
        "author": "Someone",
        "language": "en",
        "encoding": "utf-8",
        "format": "txt",
        "chapters": 3,
        "characters": 1000,
        "sha256": "0" * 64,
    }


def _events(command: str, path: str, result):
    if "missing" in path:
        raise InputError(f"{path} does not exist", "check the name")
    document = _document(path)
    chapter = (
        HOSTILE
        if "hostile" in path
        else "第三回 一个很长很长很长很长的题目"
        if "cjk" in path
        else "Chapter One"
    )
    yield Opened(document, words=180000, left_out=("Project Gutenberg header",))
    yield Loaded("pocket", 7_300_000, "cpu", "float32", "sinks", "quotes the book, does not write", 0.1)
    yield Planned(2000, 20, 100, 512, 4, True, 98.0, 512_000_000)
    if "crash" in path:
        raise ValueError("SECRET WORDS OF THE BOOK")
    if "note" in path:
        yield Note(f"something to know {HOSTILE}", "warning")
    steps, pause = (100, 0.02) if "slow" in path else (40, 0.002)
    done, partial = 0, False
    try:
        for done in range(1, steps + 1):
            time.sleep(pause)
            left = (steps - done) * pause
            yield Progress("reading", done, steps, "blocks", chapter, done / steps, 1234.0, left)
            if "stubborn" in path:
                try:
                    time.sleep(30)
                except KeyboardInterrupt:
                    if "wrapped" in path:
                        raise RuntimeError("what was being imported") from None
                    raise
    except Interrupted:
        if "nothing" in path:
            raise
        partial = True
    finally:
        if "LONGREAD_CLEANED" in os.environ:
            with open(os.environ["LONGREAD_CLEANED"], "w", encoding="utf-8") as file:
                file.write("cleaned")
    yield Text("piece")
    read = round(2000 * done / steps)
    tokens = {"read": read, "learned": read, "dropped": 0, "unread": 2000 - read}
    stats = {"tokens": tokens, "seconds": {"open": 0.5, "read": 97.5}}
    yield Done(command, "pocket", document, result, stats, partial, ("careful",) if "note" in path else ())


def summarize(path, options, *, length="medium", words=None, by="book", style="auto", lang=None):
    text = (
        f"It was {HOSTILE} dark." if "hostile" in path else f"It was dark and {length} {words} {by} {style}."
    )
    if "cjk" in path:
        text = "话说孙悟空大闹天宫。" * 20
    long = "many words " * (20000 if "huge" in path else 30)
    sections = (
        Section(HOSTILE if "hostile" in path else CHAPTERS[0], text, ((0, 10),)),
        Section(CHAPTERS[1], long.strip() + ".", ((500, 510), (600, 610))),
    )
    names = (Name("Anna" + (HOSTILE if "hostile" in path else ""), 12, "One"), Name("Bob", 1, "Two"))
    yield from _events("summarize", path, Summary(" ".join(s.text for s in sections), sections, names))


def score(path, options, *, arms=("sink", "sink+lora")):
    def arm(base: float) -> Arm:
        segments = tuple(Segment(at / 10, (at + 1) / 10, base - at) for at in range(10))
        return Arm(base, 1.25, 100.0, 2000, 5120.0, segments)

    yield from _events("score", path, Score({name: arm(60.0 + at) for at, name in enumerate(arms)}))


def read(path, options):
    yield from _events("read", path, Reading(None, None, 20, 0, "ab" * 32))


def text(path, options):
    if "missing" in path:
        raise InputError(f"{path} does not exist", "check the name")
    yield Opened(_document(path), words=180000, left_out=("Project Gutenberg header",))
    if "note" in path:
        yield Note(f"a chapter is missing {HOSTILE}", "warning")
    yield Text("Line one\n")
    if "slow" in path:
        print("reading", file=sys.stderr, flush=True)
        for _ in range(100):
            time.sleep(0.1)
            yield Text("and on\n")
    yield Text(f"{HOSTILE}\n" if "hostile" in path else "西游 two\n")
    if "huge" in path:
        for at in range(20000):
            yield Text(f"line {at}\n")


def plan(command, path, options, **own):
    yield Opened(_document(path), words=180000)
    yield Planned(2000, 20, 100, 512, 4, options.memory.learn, 98.0, 512_000_000)
    yield Done(command, options.model, _document(path), None, {"tokens": {"read": 0}, "seconds": {}})


def block_network() -> None:
    def refuse(event: str, _: tuple) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
            print(f"the network was used: {event}", file=sys.stderr, flush=True)
            os._exit(99)  # an error might be swallowed

    sys.addaudithook(refuse)


def modules() -> dict[str, types.ModuleType]:
    """The stand-in tasks, by the names under which the program imports them."""
    made = {}
    for name, names in {
        "summarize": {"summarize": summarize},
        "score": {"score": score, "ARMS": ("window", "sink", "sink+lora"), "ways_of": lambda *_: ()},
        "read": {"read": read, "text": text},
        "plan": {"plan": plan},
    }.items():
        module = types.ModuleType(f"longread.tasks.{name}")
        module.__dict__.update(names)
        made[module.__name__] = module
    return {"longread.tasks": types.ModuleType("longread.tasks"), **made}


if __name__ == "__main__":
    block_network()
    if os.environ.get("LONGREAD_STAND_IN"):
        sys.modules.update(modules())
    from longread.cli import main

    sys.exit(main())
