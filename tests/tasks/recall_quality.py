"""Figures of recall: is the passage with the answer among the first, are other books' questions refused?

    python -m tests.tasks.recall_quality facts                 the novella and its facts.toml
    python -m tests.tasks.recall_quality reworded              the same, worded away from the text on purpose
    python -m tests.tasks.recall_quality facts zh              the Chinese story and its facts_zh.toml
    python -m tests.tasks.recall_quality xquad XQUAD           own and the other's questions, in two halves
    python -m tests.tasks.recall_quality planted BOOK          20 of its paragraphs planted in a long book
    python -m tests.tasks.recall_quality tales TALES SPLIT     FairytaleQA, all tales of a split joined
    python -m tests.tasks.recall_quality wrong TALES           40 questions about other books to the novella
    python -m tests.tasks.recall_quality mixed TALES SPLIT     own and the other's questions, in two books

TALES is the folder data-by-train-split of FairytaleQA, unpacked; XQUAD a file of XQuAD. Knows what is right
from the data alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from longread.memory.recall import recall
from longread.reader import open_document
from longread.store.passages import Passages
from longread.tasks.ask import Answerer
from tests.tasks.scripted import finish

SAMPLES = resources.files("longread.samples")
WRONG = Path(__file__).with_name("wrong_book.txt")
REACH = (1, 3, 10)
FACTS = {"en": "facts.toml", "zh": "facts_zh.toml"}


@dataclass(frozen=True)
class Asked:
    """A question and where the text answers it."""

    question: str
    spans: tuple[tuple[int, int], ...]


@contextmanager
def indexed(path: str) -> Iterator[tuple[str, Passages, Answerer]]:
    """The text at ``path``, its index in a folder of its own, and who answers from it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_document(path) as document,
        Passages.build(Path(folder) / "index.db", document) as passages,
    ):
        yield "".join(document.text()), passages, Answerer(document, passages, None)


def meets(start: int, end: int, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start < high and end > low for low, high in spans)


def hits(passages: Passages, asked: Sequence[Asked]) -> dict[str, float]:
    """Of how many questions a passage that meets the answer is among the first 1, 3 and 10; the same for
    BM25 alone."""
    figures = {}
    for name, ranked in (
        ("hit", lambda question: recall(passages, question, 2 * REACH[-1]).hits),
        ("bm25", lambda question: passages.search(question, REACH[-1])),
    ):
        ranks = [
            next(
                (at for at, hit in enumerate(ranked(one.question)) if meets(hit.start, hit.end, one.spans)),
                99,
            )
            for one in asked
        ]
        figures |= {f"{name}@{reach}": sum(rank < reach for rank in ranks) / len(ranks) for reach in REACH}
    return figures


def answered(passages: Passages, questions: Sequence[str]) -> float:
    """How many of ``questions`` are not refused."""
    return sum(recall(passages, question, 3).found for question in questions) / len(questions)


def facts(code: str = "en") -> list[dict[str, str]]:
    return tomllib.loads((SAMPLES / FACTS[code]).read_text(encoding="utf-8"))["fact"]


def place(text: str, words: str) -> tuple[tuple[int, int], ...]:
    at = text.index(words)
    return ((at, at + len(words)),)


def of_facts(wording: str = "question", code: str = "en") -> dict[str, float]:
    with indexed(f"sample:{code}") as (text, passages, answerer):
        asked = [Asked(fact[wording], place(text, fact["evidence"])) for fact in facts(code)]
        quotes = [finish(answerer.answer(item.question)).answer for item in asked]
        told = [" ".join(fact["evidence"].split()) for fact in facts(code)]
        right = sum(bool(q) and (q in e or e in q) for q, e in zip(quotes, told, strict=True))
        figures = hits(passages, asked)
        figures["answered"] = answered(passages, [item.question for item in asked])
        return figures | {"quoted": right / len(asked)}


def planted(book: Path, count: int = 20) -> dict[str, float]:
    """``count`` facts' paragraphs, each at its place in ``book``; the text's other paragraphs stay."""
    every = facts()
    chosen = every[:: len(every) // count][:count]
    with open_document("sample:en") as document:
        own = [p.text for p in document.passages()]
    paragraphs = [next(p for p in own if fact["evidence"] in p) for fact in chosen]
    with open_document(str(book)) as document:
        told = [p.text for p in document.passages()]
    for number in reversed(range(count)):
        told.insert(round((number + 0.5) * len(told) / count), paragraphs[number])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planted.txt"
        path.write_text("\n\n".join(told), encoding="utf-8")
        with indexed(str(path)) as (text, passages, _):
            asked = [Asked(fact["question"], place(text, fact["evidence"])) for fact in chosen]
            return hits(passages, asked)


Tale = tuple[str, list[tuple[str, str]], list[tuple[str, list[str]]]]


def tales(folder: Path, split: str) -> list[Tale]:
    """Of each tale its name, its sections, and its questions with the sections that answer them."""
    found = []
    for file in sorted((folder / "section-stories" / split).glob("*-story.csv")):
        name = file.name.removesuffix("-story.csv")
        questions = folder / "questions" / split / f"{name}-questions.csv"
        with file.open(encoding="utf-8", newline="") as rows:
            sections = [(row["section"], " ".join(row["text"].split())) for row in csv.DictReader(rows)]
        with questions.open(encoding="utf-8", newline="") as rows:
            asked = [
                (row["question"].strip(), [part.strip() for part in row["cor_section"].split(",")])
                for row in csv.DictReader(rows)
            ]
        found.append((name, sections, asked))
    return found


def joined(found: Sequence[Tale], path: Path) -> list[Asked]:
    """All tales as one text, a chapter each; their questions with the places of their sections."""
    text, asked = "", []
    for name, sections, questions in found:
        text += f"Chapter. {name.replace('-', ' ').title()}\n\n"
        at = {}
        for number, section in sections:
            at[number] = (len(text), len(text) + len(section))
            text += section + "\n\n"
        for question, numbers in questions:
            spans = tuple(at[number] for number in numbers if number in at)
            if question and spans:
                asked.append(Asked(question, spans))
    path.write_text(text, encoding="utf-8")
    return asked


def of_tales(folder: Path, split: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as place_:
        path = Path(place_) / "tales.txt"
        asked = joined(tales(folder, split), path)
        with indexed(str(path)) as (_, passages, _):
            return hits(passages, asked) | {"questions": len(asked)}


def wrong(folder: Path) -> dict[str, float]:
    """How many of 40 questions about other books the novella answers, and of those about itself."""
    others = [item for _, _, asked in tales(folder, "test") for item, _ in asked]
    other = random.Random(0).sample(others, 20)
    known = [line for line in WRONG.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    with indexed("sample:en") as (_, passages, _):
        return {
            "wrong answered": answered(passages, other + known),
            "of tales": answered(passages, other),
            "of known books": answered(passages, known),
            "right answered": answered(passages, [fact["question"] for fact in facts()]),
        }


def mixed(folder: Path, split: str) -> dict[str, float]:
    """Two books of tales: how many questions about itself, and about the other, each one answers."""
    found = tales(folder, split)
    with tempfile.TemporaryDirectory() as place_:
        paths = [Path(place_) / f"{at}.txt" for at in (0, 1)]
        return crossed(paths, [joined(found[at::2], path) for at, path in enumerate(paths)])


def of_xquad(file: Path) -> dict[str, float]:
    """The odd and the even articles of XQuAD as two books: as ``mixed``, and the hits of the first."""
    articles = json.loads(file.read_text(encoding="utf-8"))["data"]
    with tempfile.TemporaryDirectory() as place_:
        paths = [Path(place_) / f"{at}.txt" for at in (0, 1)]
        asked = [paragraphs(articles[at::2], path) for at, path in enumerate(paths)]
        with indexed(str(paths[0])) as (_, passages, _):
            return hits(passages, asked[0]) | crossed(paths, asked)


def paragraphs(articles: Sequence[dict], path: Path) -> list[Asked]:
    """Articles of XQuAD as one text; their questions with the places of their answers."""
    text, asked = "", []
    for paragraph in (paragraph for article in articles for paragraph in article["paragraphs"]):
        for item in paragraph["qas"]:
            at = len(text) + item["answers"][0]["answer_start"]
            asked.append(Asked(item["question"], ((at, at + len(item["answers"][0]["text"])),)))
        text += paragraph["context"].replace("\n", " ") + "\n\n"
    path.write_text(text, encoding="utf-8")
    return asked


def crossed(paths: Sequence[Path], asked: Sequence[list[Asked]]) -> dict[str, float]:
    """How many of its own questions, and of the other's, each of two books answers."""
    own, other = [], []
    for at in (0, 1):
        with indexed(str(paths[at])) as (_, passages, _):
            own.append(answered(passages, [item.question for item in asked[at]]))
            other.append(answered(passages, [item.question for item in asked[1 - at]]))
    return {"right answered": sum(own) / 2, "wrong answered": sum(other) / 2}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = ["facts", "reworded", "planted", "tales", "wrong", "mixed", "xquad"]
    parser.add_argument("what", choices=kinds)
    parser.add_argument("path", nargs="?", type=Path, help="folder, file, or the code of a sample")
    parser.add_argument("split", nargs="?", default="test")
    options = parser.parse_args(arguments)
    figures = {
        "facts": lambda: of_facts(code=str(options.path or "en")),
        "reworded": lambda: of_facts("reworded"),
        "planted": lambda: planted(options.path),
        "tales": lambda: of_tales(options.path, options.split),
        "wrong": lambda: wrong(options.path),
        "xquad": lambda: of_xquad(options.path),
        "mixed": lambda: mixed(options.path, options.split),
    }[options.what]()
    print("  ".join(f"{name} {value:.3f}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
