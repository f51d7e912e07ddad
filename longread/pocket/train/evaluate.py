"""``python -m longread.pocket.train.evaluate --model DIR --source DIR --held-out PAIRS``: the figures.

Knows what is measured on which texts. The program itself reads, so that the figures are those that a user
gets. They go into ``evaluation.json`` beside the weights and into the card.

Books that nothing was learned from: 60,000 characters from one third into every second book of
``books/en`` in sorted order, and of all of ``books/zh``.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from longread.errors import InputError
from longread.jobs import score
from longread.pocket.train import card, corpus, talk
from longread.pocket.train.answers import Answerer, exact, f1, translation
from longread.pocket.train.command import command, log

CHARACTERS = 60_000
SMALL = {"window": 512, "block": 128, "sinks": 1}  # as in the log, so that models can be compared
LONG = 1_000_000  # bytes on which the sink cache is compared with recomputing


def excerpt(book: Path, characters: int) -> str:
    """So many characters from one third into a book; ``InputError`` for one that cannot be read."""
    try:
        text = book.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(f"{book} cannot be read: {error}", "give the folder of the corpus") from None
    return text[len(text) // 3 :][:characters]


def reading(
    model: Path, books: list[Path], characters: int, arm: str = "sink", **options: Any
) -> dict[str, float]:
    """All ``books``' excerpts read one by one: bits a byte, perplexity and tokens a second over all."""
    tokens = 0
    nll = size = seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for book in books:
            place = Path(folder) / "text.txt"
            place.write_text(excerpt(book, characters), encoding="utf-8")
            found = score(place, model=str(model.resolve()), arms=(arm,), **options).arms[arm]
            nll, tokens = nll + found.nll, tokens + found.tokens
            size += found.nll / math.log(2) / found.bits_per_byte  # bytes of the text as it is read
            seconds += found.tokens / found.tokens_per_second
    return {
        "bits_per_byte": nll / math.log(2) / max(1.0, size),
        "perplexity": math.exp(nll / max(1, tokens)),
        "tokens_per_second": tokens / max(seconds, 1e-9),
    }


def unseen(model: Path, source: Path, characters: int = CHARACTERS) -> dict[str, Any]:
    """Bits a byte on unseen books of both languages."""
    english = sorted((source / "books" / "en").glob("*.txt"))[::2]
    chinese = sorted((source / "books" / "zh").glob("*.txt"))
    if not english or not chinese:
        raise InputError(f"{source / 'books'} holds no books", "give the folder of the corpus")
    en = reading(model, english, characters, **SMALL)
    whole = reading(model, english, characters, sinks=1)
    zh = reading(model, chinese, characters, **SMALL)
    bits = {"en": en, "en_whole": whole, "zh": zh}
    return {
        "bits_per_byte": {name: round(found["bits_per_byte"], 4) for name, found in bits.items()},
        "tokens_per_second": round(whole["tokens_per_second"]),
    }


def against_recompute(model: Path, source: Path, size: int = LONG) -> dict[str, Any]:
    """Perplexity of the sink cache over that of encoding the window again for each block, on a long text."""
    books = sorted((source / "books" / "en").glob("*.txt"), key=lambda path: -path.stat().st_size)[:1]
    arms = [reading(model, books, size, arm, sinks=1)["perplexity"] for arm in ("sink", "recompute")]
    return {"sink_against_recompute": round(arms[0] / arms[1], 5)}


def questions(model: Answerer, source: Path, most: int | None, seed: int) -> dict[str, Any]:
    """FairytaleQA's test questions answered from the right section, and sections judged."""
    tales = corpus.tales(source, "test")
    asked = [(tale, words, answers) for tale in tales for words, answers in tale.questions]
    chance = random.Random(f"questions {seed}")
    asked = chance.sample(asked, min(most or len(asked), len(asked)))
    shares, right, judged = [], 0, []
    for tale, words, answers in asked:
        answer = model.answer(talk.question(tale.text, words))
        shares.append(f1(answer, answers))
        right += exact(answer, answers)
    for tale, words, _ in asked[: len(asked) // 2]:
        other = chance.choice([words for there, words, _ in asked if there.tale != tale.tale] or [words])
        for question, verdict in ((words, "yes"), (other, "no")):
            judged.append(model.answer(talk.judgement(tale.text, question), longest=4) == verdict)
    return {
        "questions": {
            "asked": len(asked),
            "f1": round(sum(shares) / max(1, len(shares)), 4),
            "exact": round(right / max(1, len(asked)), 4),
        },
        "judgements": round(sum(judged) / max(1, len(judged)), 4),
    }


def translations(model: Answerer, source: Path, held_out: Path, most: int | None) -> dict[str, Any]:
    """The sentence pairs that were never learned from, one by one in each direction."""
    held = corpus.pairs(source, held_out)[1][:most]
    found: dict[str, Any] = {"pairs": len(held)}
    for origin, target in (("zh", "en"), ("en", "zh")):
        table = [pair[::-1] if origin == "zh" else pair for pair in held]
        texts = [model.answer(talk.translation(target), words) for words, _ in table]
        found[f"{origin}-{target}"] = translation(texts, [answer for _, answer in table], target)
        for (words, answer), text in list(zip(table, texts, strict=True))[:5]:
            log.info("%r | %r | %r", words, text, answer)
    return {"translation": found}


@command
def main(arguments: list[str] | None = None) -> None:
    """Measure, and write the figures down."""
    parser = argparse.ArgumentParser(prog="evaluate", description="Measure a model and fill in its card.")
    parser.add_argument("--model", type=Path, required=True, help="folder that `export` has written")
    parser.add_argument("--source", type=Path, required=True, help="folder with books/ and qa/")
    parser.add_argument("--held-out", type=Path, required=True, help="sentence pairs never learned from")
    parser.add_argument("--most", type=int, help="so many questions and pairs, not all")
    parser.add_argument("--characters", type=int, default=CHARACTERS, help="of each book")
    parser.add_argument("--long", action="store_true", help="compare with recomputing, too: minutes")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    found: dict[str, Any] = {}

    def note(measure: Callable[..., dict[str, Any]], *given: Any) -> None:
        figures = measure(*given)
        found.update(figures)
        log.info("%s", json.dumps(figures))

    note(unseen, options.model, options.source, options.characters)
    answerer = Answerer(options.model)
    note(translations, answerer, options.source, options.held_out, options.most)
    note(questions, answerer, options.source, options.most, options.seed)
    if options.long:
        note(against_recompute, options.model, options.source)
    place = options.model / "evaluation.json"
    place.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    card.write(options.model)


if __name__ == "__main__":
    main()
