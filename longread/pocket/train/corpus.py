"""What the model learns from, as text: books, sentence pairs, tales with questions.

Knows the archives and how their texts are cleaned. Knows no tokenizer. Everything is drawn from a seed and
comes in the archives' order, so that two preparations give the same text.

The English books are Markdown with one line a paragraph; most books that people have as plain text are
wrapped at some seventy columns, without markup and with typewriter quotes. Most books are therefore given
that form, each whole and in one of many widths.
"""

from __future__ import annotations

import csv
import io
import random
import re
import string
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from longread.errors import InputError

PLAIN = 0.65  # share of the English books that are given the form of a plain-text file
CHAPTERS = 6  # of a book, at most, that are asked for a title
HELD = 74  # one English book of so many is kept for validation, and so many characters of each Chinese one
_TYPEWRITER = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "—": "--", "–": "-", "…": "..."})
_HEADING = re.compile(r"#+ *(.*?)[ #]*$")
_ENDS = tuple("。！？：；，．”’」』）…—.!?:;\"')")


@dataclass(frozen=True)
class Book:
    """One text. ``held`` says that it is for validation and must not be learned from; ``chapters`` are
    some of its chapters, titles and texts."""

    name: str
    text: str
    held: bool
    chapters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Tale:
    """One section of a fairy tale with its questions: (question, answers)."""

    tale: str
    text: str
    questions: tuple[tuple[str, tuple[str, ...]], ...]


def english(source: Path, seed: int) -> Iterator[Book]:
    """The books of ``train/en.tar.bz2``, most of them as plain text, one in ``HELD`` held back."""
    chance = random.Random(f"english {seed}")
    for number, (name, text) in enumerate(_members(source / "train" / "en.tar.bz2")):
        text = _body(text)
        some = tuple(islice(chapters(text), CHAPTERS))
        if chance.random() < PLAIN:
            text = plain(text, chance.randint(60, 78), dashes=chance.random() < 0.8)
        yield Book(name, text, number % HELD == HELD // 2, some)


def chinese(source: Path) -> Iterator[Book]:
    """The books of ``train/zh.tar.bz2``, the end of each held back as a text of its own."""
    for name, text in _members(source / "train" / "zh.tar.bz2"):
        text = joined(text)
        cut = len(text) - len(text) // HELD
        yield Book(name, text[:cut], held=False)
        yield Book(name, text[cut:], held=True)


def pairs(source: Path, held_out: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """English and Chinese sentences: those to learn from, and those of ``held_out``.

    A pair is left out if either of its sentences stands in ``held_out``, however it is
    spaced, cased and punctuated.
    """
    held = _table(held_out)
    english, chinese = {_bare(pair[0]) for pair in held}, {_bare(pair[1]) for pair in held}
    table = _table(source / "qa" / "tatoeba_en_zh.tsv")
    kept = [pair for pair in table if _bare(pair[0]) not in english and _bare(pair[1]) not in chinese]
    return kept, held


def tales(source: Path, split: str) -> list[Tale]:
    """The sections of FairytaleQA's ``split`` ("train", "val", "test") that have questions of their own."""
    texts: dict[tuple[str, str], str] = {}
    asked: dict[tuple[str, str], list[tuple[str, tuple[str, ...]]]] = {}
    for name, text in _members(source / "qa" / "fairytaleqa.tar.xz"):
        path = Path(name)
        if path.parent.name != split:
            continue
        rows = csv.DictReader(io.StringIO(text))
        if path.parent.parent.name == "section-stories":
            tale = path.stem.removesuffix("-story")
            texts |= {(tale, row["section"].strip()): " ".join(row["text"].split()) for row in rows}
        elif path.parent.parent.name == "questions":
            tale = path.stem.removesuffix("-questions")
            for row in rows:
                answers = dict.fromkeys(" ".join((row[f"answer{n}"] or "").split()) for n in range(1, 7))
                found = tuple(answer for answer in answers if answer)
                if found and row["cor_section"].strip().isdigit():
                    question = " ".join(row["question"].split())
                    asked.setdefault((tale, row["cor_section"].strip()), []).append((question, found))
    return [Tale(key[0], text, tuple(asked[key])) for key, text in sorted(texts.items()) if key in asked]


def chapters(text: str) -> Iterator[tuple[str, str]]:
    """Headings that say something, in words, and the text that follows each; of a book in Markdown."""
    parts = re.split(r"(?m)^#+ *(.*?)[ #]*$", text)
    for heading, body in zip(parts[1::2], parts[2::2], strict=True):
        title = re.sub(r"(?i)^(chapter|book|part|canto|letter)?[\s.]*([ivxlc\d]+\b)?[\s.:—–-]*", "", heading)
        title = title.strip(" _*.")
        if 6 <= len(title) <= 60 and len(body) > 1000:
            yield string.capwords(title) if title.isupper() else title, " ".join(body.split())


def plain(text: str, width: int, *, dashes: bool) -> str:
    """Markdown with a line a paragraph as a plain-text file: no heading marks, lines of at most ``width``
    characters, and with ``dashes`` the quotes and dashes of a typewriter, where two count as one."""
    blocks: list[str] = []
    lines = re.compile(rf"(\S.{{0,{width - 1}}}(?!\S)|\S{{{width},}})(?: +|$)")  # faster than textwrap
    for line in text.split("\n"):
        heading = _HEADING.match(line)
        if heading:
            blocks.append(f"\n\n{heading[1]}")
        elif line.strip():
            blocks.append(lines.sub(r"\1\n", line.strip()).rstrip("\n"))
        elif blocks and blocks[-1]:
            blocks.append("")
    text = "\n".join(blocks).strip()
    return text.translate(_TYPEWRITER) if dashes else text


def joined(text: str) -> str:
    """Chinese text with the lines of a paragraph that was wrapped put together, and no indentation."""
    out: list[str] = []
    for line in (line.strip(" \t\u3000") for line in text.split("\n")):
        if not line:
            continue
        if out and len(line) > 3 and len(out[-1]) > 15 and not out[-1].endswith(_ENDS):
            out[-1] += line
        else:
            out.append(line)
    return "\n".join(out)


def _body(text: str) -> str:
    """A book without the head that names title, author and year, and with single empty lines."""
    head, rule, body = text.partition("\n-------\n")
    text = body if rule and len(head) < 1000 else text
    return re.sub(r"[ \t]+\n", "\n", re.sub(r"\n{3,}", "\n\n", text)).strip()


def _members(archive: Path) -> Iterator[tuple[str, str]]:
    """Name and text of each file, line ends as ``\\n``; ``InputError`` where there is no such archive."""
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                if member.isfile():
                    data = tar.extractfile(member).read()
                    text = data.decode("utf-8-sig", "replace")
                    yield member.name, text.replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{archive} cannot be read: {error}", "give the folder of the corpus") from None


def _table(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", "give a table of sentence pairs") from None
    found = [tuple(part.strip() for part in line.split("\t")[:2]) for line in lines if "\t" in line]
    return [pair for pair in found if all(pair)]


def _bare(sentence: str) -> str:
    return "".join(filter(str.isalnum, sentence)).casefold()
