"""Damaged and hostile files by the ten thousand, for every format that is not plain text.

    python tests/reader/fuzz_formats.py --count 10000 [--format epub] [--seed 1] [--real FOLDER]

Real files and files of our own are changed at random, as they lie and inside their packing.
Each must be read or refused with one ``LongreadError``, within ``SECONDS`` and ``MEMORY``,
and nothing but unnamed temporary files may be written. An input that makes a library written in C
crash or hang ends its worker and is counted: the program runs the parsers apart for that.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import gzip
import io
import os
import random
import re
import resource
import subprocess
import sys
import time
import traceback
import zipfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from longread.errors import LongreadError  # noqa: E402
from longread.reader import formats  # noqa: E402
from longread.reader import open as opening  # noqa: E402
from tests.reader import builders  # noqa: E402
from tests.reader.held import Held  # noqa: E402

FORMATS = ("epub", "html", "docx", "pdf", "gz")
SECONDS, MEMORY, BATCH = 20, 3 << 30, 500
_TOKENS = (
    *(
        b"<",
        b">",
        b"&",
        b'"',
        b"\x00",
        b"\xff\xfe",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]>",
        b"&a;",
        b"]]>",
        b"<![CDATA[",
    ),
    *(
        b"<script>",
        b"</p>",
        b"<table><tr><td>",
        b"<p>" * 300,
        b"<div>" * 2000,
        b"<w:p>",
        b"<w:tbl><w:tr><w:tc>" * 40,
    ),
    *(
        b"../../../../etc/passwd",
        b"file:///etc/passwd",
        b"%2e%2e%2f",
        b"999999999999",
        b"-1",
        b"0 R",
        b"endobj",
    ),
    *(
        b"/Count 2147483647",
        b"/Kids [1 0 R 1 0 R]",
        b"stream\n",
        b"startxref\n0\n",
        b"PK\x05\x06",
        b"A" * 5000,
    ),
    *(
        b"<rt>",
        b"<pre>\n\n\n",
        b"<br><br>",
        b"\n" * 500,
        b"*** START OF THE PROJECT GUTENBERG EBOOK",
        b"\xf0\x9f",
    ),
)
_ELEMENT = re.compile(rb"<([\w:]+)\b[^<>]*(?:/>|>(?:(?!<\1\b).){0,3000}?</\1>)", re.S)
_VALUE = re.compile(rb'="([^"<>]{0,200})"')
_TEXTS = (
    b"",
    b" ",
    b"&#0;",
    b"&#x1F4A9;",
    b"&lt;b&gt;",
    "\u202e\u3000\u00ad".encode(),
    b"1",
    b"CHAPTER I",
    b"w:p",
    b"nav",
)


def seeds(form: str, real: Path | None) -> list[bytes]:
    """Whole files to begin with."""
    book = builders.novella(2)
    book = builders.Book(
        book.title, "A. Writer", "en", book.front, tuple((t, p[:6]) for t, p in book.chapters)
    )
    rich = (
        '<h1 id="a">One</h1><p>Text<sup><a href="#n">1</a></sup> <ruby>本<rt>ほん</rt></ruby><br/>line</p>'
        "<table><tr><td>1</td><td>2</td></tr></table><pre>a\n\nb</pre><ul><li>x<p>y</p></li></ul>"
        '<aside id="n"><p><a href="#a">1</a> note</p></aside><img alt="I"/>t is<span class="pagenum">3</span>'
    )
    found = {
        "epub": lambda: [
            builders.epub(book),
            builders.epub(book, ncx=True),
            builders.package({"r.xhtml": builders.page("R", rich)}),
        ],
        "html": lambda: [builders.web(book), builders.page("R", rich).encode(), rich.encode("utf-16")],
        "docx": lambda: [builders.docx(book), builders.rich_docx()],
        "pdf": lambda: [builders.pdf(book), builders.pdf(book, outline=False, indent=False, packed=False)],
        "gz": lambda: [gzip.compress(builders.web(book)), gzip.compress(builders.epub(book))],
    }[form]()
    if real is not None:
        found += [
            path.read_bytes() for path in sorted(real.rglob(f"*.{form}")) if path.stat().st_size < 400_000
        ]
    return found


def changed(content: bytes, chance: random.Random, all_seeds: list[bytes], least: int = 1) -> bytes:
    """``content`` with some changes."""
    held = bytearray(content)
    for _ in range(chance.choice((least, 1, 2, 5, 20))):
        at = chance.randrange(len(held) + 1)
        end = min(len(held), at + chance.choice((1, 4, 40, 400, 4000)))
        kind = chance.randrange(8)
        if kind == 0 and at < len(held):
            held[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del held[at:end]
        elif kind == 2:
            held[at:at] = chance.choice(_TOKENS)
        elif kind == 3:
            held[at:at] = held[at:end] * chance.choice((1, 2, 30))
        elif kind == 4:
            held[at:end] = chance.randbytes(end - at)
        elif kind == 5:
            other = chance.choice(all_seeds)
            begin = chance.randrange(len(other) + 1)
            held[at:end] = other[begin : begin + chance.choice((10, 300, 3000))]
        elif kind == 6 and chance.random() < 0.3:
            del held[at:]
        elif kind == 7:
            digits = [place for place in range(at, end) if 48 <= held[place] < 58]
            for place in digits:
                held[place] = chance.choice(b"0123456789")
        if len(held) > 1 << 22:
            break
    return bytes(held)


def reshaped(content: bytes, chance: random.Random) -> bytes:
    """Markup whose elements are doubled, dropped and moved, whole, and whose values are changed."""
    for _ in range(chance.choice((1, 3, 10))):
        at = chance.randrange(len(content) + 1)
        element = _ELEMENT.search(content, at)
        own = _VALUE.search(content, at)
        kind = chance.randrange(5)
        if kind == 0 and own:
            value = chance.choice(
                (b"", b"-1", b"99999999999", b"x" * 300, b"../x", b"#top", b"%00", chance.choice(_TEXTS))
            )
            content = content[: own.start(1)] + value + content[own.end(1) :]
        elif kind == 1:
            end = content.find(b">", at) + 1
            content = content[:end] + chance.choice(_TEXTS) + content[end:]
        elif element and kind == 2:
            content = content[: element.start()] + content[element.end() :]
        elif element and kind == 3:
            content = content[: element.end()] + element[0] * chance.choice((1, 9)) + content[element.end() :]
        elif element:
            rest = content[: element.start()] + content[element.end() :]
            to = rest.find(b"<", chance.randrange(len(rest) + 1))
            content = rest[:to] + element[0] + rest[to:] if to > 0 else content
    return content


def repacked(content: bytes, chance: random.Random) -> bytes:
    """A zip archive with changes inside some of its members, or in their names."""
    held = io.BytesIO()
    texts: list[bytes] = []
    with (
        zipfile.ZipFile(io.BytesIO(content)) as source,
        zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        names = [
            name for name in source.namelist() if name.endswith((".xml", "html", ".opf", ".ncx", ".rels"))
        ]
        chosen = set(chance.sample(names, min(len(names), chance.choice((1, 1, 2, 5)))))
        for name in source.namelist():
            inner = source.read(name)
            if name in chosen:
                texts.append(inner)
                inner = reshaped(inner, chance) if chance.random() < 0.7 else changed(inner, chance, texts)
                if chance.random() < 0.05:
                    name = chance.choice(("../" + name, "/" + name, name + "x", name.upper()))
            if chance.random() > 0.01:
                target.writestr(name, inner)
    return held.getvalue()


def make(form: str, number: int, seed: int, all_seeds: list[bytes]) -> bytes:
    """Input ``number``: the same for the same seed."""
    chance = random.Random(f"{form}/{seed}/{number}")
    content = chance.choice(all_seeds)
    if form in ("epub", "docx") and chance.random() < 0.7:
        return repacked(content, chance)
    if form == "html" and chance.random() < 0.5:
        return reshaped(content, chance)
    if form == "gz" and chance.random() < 0.5:
        return gzip.compress(changed(gzip.decompress(content), chance, all_seeds), 1)
    return changed(content, chance, all_seeds)


def read(content: bytes, name: str) -> str:
    """Read as the program does; the outcome in a word."""
    original = opening.open_bytes
    opening.open_bytes = lambda path: Held(content, name)  # type: ignore[assignment,return-value]
    try:
        with opening.open_document(name) as document:
            last = 0
            for passage in document.passages():
                if passage.start < last:
                    return "BAD: passages overlap"
                last = passage.end
            places = [(chapter.start, chapter.body, chapter.end) for chapter in document.chapters]
            if any(not 0 <= start <= body <= end <= document.characters for start, body, end in places):
                return "BAD: a chapter lies outside the text"
            return "read"
    except LongreadError as error:
        if not error.message or "Traceback" in error.message or len(error.message) > 1000:
            return f"BAD: message {error.message[:200]!r}"
        return type(error).__name__
    finally:
        opening.open_bytes = original


def watch() -> None:
    """Bound time and memory, and refuse files opened to be written anywhere that has a name."""

    def look(event: str, arguments: tuple) -> None:
        if event == "open" and isinstance(arguments[2], int):
            path, _, flags = arguments
            # TemporaryFile names the folder only; where it has to name the file, it removes it at once.
            named = isinstance(path, str) and not os.path.isdir(path) and "longread-" not in path
            if flags & (os.O_WRONLY | os.O_RDWR) and named:
                raise AssertionError(f"written: {path}")
        elif event in ("os.mkdir", "os.rename", "socket.connect", "subprocess.Popen"):
            raise AssertionError(f"{event} {arguments}")

    sys.addaudithook(look)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def work(form: str, first: int, last: int, seed: int, real: Path | None) -> None:
    """A batch of inputs in this process; prints one line for each outcome."""
    formats.APART = ()  # the parsers are tried in this process: a new one for each input takes too long
    all_seeds = seeds(form, real)
    read(all_seeds[0], f"book.{form}")  # whatever is loaded late
    watch()
    slowest = 0.0
    for number in range(first, last):
        content = make(form, number, seed, all_seeds)
        began = time.perf_counter()
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            outcome = read(content, f"book.{form}")
        except BaseException:
            outcome = f"BAD: {' '.join(traceback.format_exc(limit=-2).split())[-400:]}"
        faulthandler.cancel_dump_traceback_later()
        slowest = max(slowest, time.perf_counter() - began)
        print(number, outcome.replace("\n", " / "), flush=True)
    print("slowest", round(slowest, 2), "memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--format", choices=FORMATS, action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", type=Path)
    parser.add_argument("--batch", nargs=2, type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.batch:
        work(given.format[0], *given.batch, given.seed, given.real)
        return 0
    bad = 0
    for form in given.format or FORMATS:
        total: collections.Counter[str] = collections.Counter()
        slowest, memory, began = 0.0, 0, time.perf_counter()
        command = [sys.executable, __file__, "--format", form, "--seed", str(given.seed)]
        command += ["--real", str(given.real)] if given.real else []
        first = 0
        while first < given.count:
            last = min(first + BATCH, given.count)
            done = subprocess.run(
                [*command, "--batch", str(first), str(last)], capture_output=True, text=True, check=False
            )
            for line in done.stdout.splitlines():
                number, _, outcome = line.partition(" ")
                if number == "slowest":
                    one, _, other = outcome.split()
                    slowest, memory = max(slowest, float(one)), max(memory, int(other))
                    continue
                first = int(number) + 1
                if outcome.startswith("BAD") and outcome not in total:
                    print(f"input {number}: {outcome}", file=sys.stderr)
                total[outcome] += 1
            if done.returncode:  # what the program runs apart, with limits of its own
                how = "over 20 s" if "Timeout" in done.stderr else f"a crash ({done.returncode})"
                print(f"input {first}: {how} {done.stderr[:400]!r}", file=sys.stderr)
                total[f"{how}, which the program ends with one error"] += 1
                first += 1
        print(f"{form}: {sum(total.values()):,} inputs in {time.perf_counter() - began:.0f} s,", end=" ")
        print(f"slowest {slowest:.2f} s, memory {memory} MB")
        for outcome, count in total.most_common():
            print(f"  {count:7,} {outcome}", flush=True)
        bad += sum(count for outcome, count in total.items() if outcome.startswith("BAD"))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
