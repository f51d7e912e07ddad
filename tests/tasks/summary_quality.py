"""Three summaries of one length side by side: ours, each chapter's first sentences, TextRank.

Knows measures that need no reference summary, and the two baselines. The measures look at words only
(tf-idf and word counts), never at the vectors that ours is chosen by.

    python tests/tasks/summary_quality.py BOOK… [--length 400] [--language en] [--cache DIR] [--show]

TextRank compares every sentence with every other, which a novel's ten thousand sentences do not allow:
the book is cut into as many equal parts as the summary has room for sentences, at most 60 sentences of
each are ranked, and the first of each part are taken until its share of the length is used up.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from longread.reader.document import Chapter
from longread.reader.names import NameCounter
from longread.reader.sentences import sentences
from longread.tasks.extract import Mark, describe, length_of
from tests.tasks.extracting import summarize_extractive

Span = tuple[int, int]
_WORD = re.compile(r"[^\W\d_]{3,}")
_HEADING = re.compile(
    r"^(?:#{2,4} (?!Author|Year|Title).*|(?:CHAPTER|Chapter|BOOK|Chapitre|CHAPITRE|Kapitel|LETTER) "
    r"[IVXLC\d]+\b.{0,80}"
    r"|第[零〇一二三四五六七八九十百千\d]{1,6}[回章].*)$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Book:
    """A text with its sentences and what a model said of each: vectors [n, width], nats a token [n]."""

    text: str
    language: str
    chapters: tuple[Chapter, ...]
    spans: list[Span]
    vectors: np.ndarray
    nll: np.ndarray

    def sentence(self, span: Span) -> str:
        return " ".join(self.text[span[0] : span[1]].split())


def words_of(text: str, language: str) -> list[str]:
    """What is compared: words of three letters and more, pairs of characters in Chinese and Japanese."""
    if language in {"zh", "ja"}:
        return [text[i : i + 2] for i in range(len(text) - 1) if text[i : i + 2].isalpha()]
    return _WORD.findall(text.lower())


def ours(book: Book, length: int) -> list[Span]:
    return summarize_extractive(
        book.text, book.language, book.chapters, book.vectors, book.nll, book.spans, length
    )


def lead(book: Book, length: int) -> list[Span]:
    """The first sentences of each chapter; of every second or third where there are too many."""
    edges = _chapter_edges(book)
    owns = [[s for s in book.spans if a <= s[0] < b and not _heading(book, s)] for a, b in edges]
    owns = [own for own in owns if own]
    chosen: list[Span] = []
    room = max(1, length // 25)
    order = [round(i * (len(owns) - 1) / max(1, room - 1)) for i in range(room)] if len(owns) > room else None
    total, rank = 0, 0
    while total < 0.95 * length and rank < max(map(len, owns)):
        for number in dict.fromkeys(order) if order else range(len(owns)):
            if rank < len(owns[number]) and total < 0.95 * length:
                chosen.append(owns[number][rank])
                total += length_of(book.sentence(chosen[-1]), book.language)
        rank += 1
    return sorted(chosen)


def textrank(book: Book, length: int) -> list[Span]:
    """TextRank (sumy) over equal parts of the book; the module says how."""
    from sumy.models.dom import ObjectDocumentModel, Paragraph, Sentence
    from sumy.summarizers.text_rank import TextRankSummarizer

    class Words:
        def to_words(self, text: str) -> tuple[str, ...]:
            return tuple(words_of(text, book.language))

    able = [
        s for s in book.spans if not _heading(book, s) and len(words_of(book.sentence(s), book.language)) > 2
    ]
    parts = max(1, min(len(able), length // (40 if book.language in {"zh", "ja"} else 25)))
    chosen: list[Span] = []
    total = 0
    for part in range(parts):
        own = able[part * len(able) // parts : (part + 1) * len(able) // parts]
        own = own[:: max(1, -(-len(own) // 60))]
        made = [Sentence(book.sentence(span), Words()) for span in own]
        rates = TextRankSummarizer().rate_sentences(ObjectDocumentModel([Paragraph(made)]))
        for sentence in sorted(made, key=lambda sentence: -rates.get(sentence, 0.0)):
            if total >= (part + 0.5) / parts * length:
                break
            span = own[made.index(sentence)]
            if span not in chosen:
                chosen.append(span)
                total += length_of(book.sentence(span), book.language)
    return sorted(chosen)


def measures(book: Book, chosen: Sequence[Span]) -> dict[str, float]:
    """What can be said of a summary without a reference, each from words alone.

    coverage: mean over the book's sentences of the best tf-idf cosine with a chosen one. divergence:
    Jensen-Shannon, between the words of book and summary (less is better). redundancy: greatest tf-idf
    cosine between two chosen. chapters, tenths, names: share of the chapters, of the book's tenths and of
    its 20 commonest names that occur. leaning, spoken, broken: share of the chosen.
    """
    language = book.language
    counts = [Counter(words_of(book.text[a:b], language)) for a, b in book.spans]
    spread = Counter(word for count in counts for word in count)
    idf = {word: np.log(len(counts) / times) for word, times in spread.items()}
    place = {span: number for number, span in enumerate(book.spans)}
    mine = [counts[place[span]] for span in chosen]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(word for count in mine for word in count))}
    matrix = np.zeros((len(mine), len(vocabulary)))
    for row, count in enumerate(mine):
        for word, times in count.items():
            matrix[row, vocabulary[word]] = times * idf[word]
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    best = []
    for count in counts:
        norm = np.sqrt(sum((times * idf[word]) ** 2 for word, times in count.items()))
        if len(count) < 4 or norm == 0:
            continue
        shared = [
            (vocabulary[word], times * idf[word]) for word, times in count.items() if word in vocabulary
        ]
        index, value = [i for i, _ in shared], np.array([v for _, v in shared])
        best.append(float((matrix[:, index] @ value).max()) / norm if shared else 0.0)
    pairs = matrix @ matrix.T - np.eye(len(mine))
    traits = [_traits(book, span) for span in chosen]
    edges = _chapter_edges(book)
    names = NameCounter(language)
    for a, b in book.spans:
        names.add(book.text[a:b], None)
    top = [name.split()[-1] for name, _, _ in names.top(20)]
    said = " ".join(book.sentence(span) for span in chosen)
    return {
        "length": float(sum(length_of(book.sentence(span), language) for span in chosen)),
        "sentences": float(len(chosen)),
        "coverage": float(np.mean(best)),
        "divergence": _divergence(_together(counts), _together(mine)),
        "redundancy": float(pairs.max()) if len(mine) > 1 else 0.0,
        "chapters": float(np.mean([any(a <= s[0] < b for s in chosen) for a, b in edges])),
        "tenths": len({10 * s[0] // len(book.text) for s in chosen}) / 10,
        "names": float(np.mean([name in said for name in top])) if top else float("nan"),
        "leaning": float(np.mean([bool(marks & Mark.LEANS) for marks in traits])),
        "spoken": float(np.mean([bool(marks & Mark.SPEECH) for marks in traits])),
        "broken": float(
            np.mean([bool(marks & (Mark.BROKEN | Mark.NOTE | Mark.HEADING)) for marks in traits])
        ),
    }


def _together(counts: Sequence[Counter[str]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)  # sum() would copy the total for every sentence
    return total


def _divergence(book: Counter[str], summary: Counter[str]) -> float:
    a = np.array([book[word] for word in book], float)
    b = np.array([summary[word] for word in book], float)
    a, b = a / a.sum(), b / max(1.0, b.sum())
    middle = (a + b) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.nansum(np.where(x > 0, x * np.log2(x / middle), 0)) for x in (a, b)]
    return float(sum(parts) / 2)


def _traits(book: Book, span: Span) -> Mark:
    gap = "\n\n" if book.text.count("\n\n") * 2000 > len(book.text) else "\n"
    low = book.text.rfind(gap, 0, span[0]) + 1
    high = book.text.find(gap, span[1])
    passage = book.text[low : high if high >= 0 else len(book.text)]
    return describe(passage, [(span[0] - low, span[1] - low)], book.language)[0].marks


def _heading(book: Book, span: Span) -> bool:
    return bool(
        describe(book.text[slice(*span)], [(0, span[1] - span[0])], book.language)[0].marks & Mark.HEADING
    )


def _chapter_edges(book: Book) -> list[Span]:
    if book.chapters:
        return [(chapter.start, chapter.end) for chapter in book.chapters]
    tenth = max(1, len(book.text) // 10)
    return [(at, at + tenth) for at in range(0, len(book.text), tenth)]


def outline(text: str) -> tuple[Chapter, ...]:
    """Chapters by the plainest of headings: good enough to compare summaries by."""
    found = list(_HEADING.finditer(text))
    ends = [*(match.start() for match in found[1:]), len(text)][: len(found)]
    return tuple(
        Chapter(i, match[0].strip("# "), match.start(), end)
        for i, (match, end) in enumerate(zip(found, ends, strict=True))
    )


def read(text: str, spans: Sequence[Span], folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and surprisals of the sentences from the model in ``folder``, read in chunks of 512."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False, verbose=False)
    ids = np.array(encoded["input_ids"])
    starts = np.array([start for start, _ in encoded["offset_mapping"]])
    owner = np.minimum(np.searchsorted([end for _, end in spans], starts, side="right"), len(spans) - 1)
    vectors = np.zeros((len(spans), model.config.hidden_size), np.float32)
    nll, tokens = np.zeros(len(spans)), np.zeros(len(spans))
    with torch.inference_mode():
        for at in range(0, len(ids), 511):
            part, own = torch.tensor([[0, *ids[at : at + 511]]]), owner[at : at + 511]
            hidden = model.model(part).last_hidden_state
            surprise = torch.nn.functional.cross_entropy(
                model.lm_head(hidden[0, :-1]), part[0, 1:], reduction="none"
            )
            np.add.at(vectors, own, hidden[0, 1:].numpy())
            np.add.at(nll, own, surprise.numpy())
            np.add.at(tokens, own, 1)
    return vectors / np.maximum(tokens, 1)[:, None], nll / np.maximum(tokens, 1)


def load(path: Path, language: str, cache: Path | None = None) -> Book:
    """A book from a text file, read by the bundled model; what it said is kept in ``cache``."""
    import longread

    text = path.read_text(encoding="utf-8-sig")
    spans = sentences(text, language)
    kept = cache / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}-{len(spans)}.npz" if cache else None
    if kept and kept.exists():
        with np.load(kept) as arrays:
            vectors, nll = arrays["vectors"], arrays["nll"]
    else:
        vectors, nll = read(text, spans, Path(longread.__file__).parent / "pocket")
        if kept:
            np.savez(kept, vectors=vectors, nll=nll)
    return Book(text, language, outline(text), spans, vectors, nll)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("books", nargs="+", type=Path)
    parser.add_argument("--length", type=int, default=400)
    parser.add_argument("--language", default="en")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args(arguments)
    for path in options.books:
        book = load(path, options.language, options.cache)
        print(f"{path.name}: {len(book.spans)} sentences, {len(book.chapters)} chapters")
        for name, method in (("ours", ours), ("lead", lead), ("textrank", textrank)):
            chosen = method(book, options.length)
            figures = measures(book, chosen)
            print(f"  {name:9}" + "  ".join(f"{key} {value:.3g}" for key, value in figures.items()))
            if options.show:
                sys.stdout.write("".join(f"    {book.sentence(span)}\n" for span in chosen))


if __name__ == "__main__":
    main()
