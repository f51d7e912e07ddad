"""``python -m longread.pocket.train.data --source DIR --held-out PAIRS --tokenizer DIR --out DIR``: rows.

Knows how texts and conversations become rows of one length. Knows no model. A row is what follows the
sink: training puts the sink in front of it. Marks say of each token whether it is padding (0), given (1)
or to be learned (2); a book's are all to be learned.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from longread.model.tokens import Encoder, load_encoder
from longread.pocket.train import corpus, talk
from longread.pocket.train.command import command, corpus_parser, log
from longread.pocket.train.talk import Talk

PROSE, LESSON, PAIR = 1024, 512, 256  # tokens a row
PASSES = 10  # over the pairs, each time in another order
OPENED = 0.25  # share of the pairs' rows that open as ``longread translate`` does
TITLED = 600  # characters of a chapter that a title is asked for


def prose(encoder: Encoder, text: str) -> np.ndarray:
    """A text's tokens in whole rows [rows, PROSE]; the end that fills none is left out."""
    ids = np.concatenate([ids for ids, _ in encoder.stream([text])] or [np.zeros(0, np.int64)])
    return ids[: len(ids) // PROSE * PROSE].astype(np.uint16).reshape(-1, PROSE)


def packed(talks: Iterable[Talk], length: int, open_rows: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Talks laid into rows [rows, length], each into the fullest of the open rows that has room; ids
    (uint16) and marks (uint8). A talk longer than a row is left out."""
    done: list[Talk] = []
    held: list[Talk] = []
    for item in talks:
        if len(item.ids) > length:
            continue
        fits = [row for row in held if len(row.ids) + len(item.ids) <= length]
        if fits:
            row = max(fits, key=lambda row: len(row.ids))
            held[held.index(row)] = row + item
        else:
            held.append(item)
        if len(held) > open_rows:
            held.sort(key=lambda row: len(row.ids))
            done.append(held.pop())
    done += held
    ids = np.full((len(done), length), talk.END, np.uint16)
    marks = np.zeros((len(done), length), np.uint8)
    for at, row in enumerate(done):
        ids[at, : len(row.ids)] = row.ids
        marks[at, : len(row.ids)] = np.where(row.own, 2, 1)
    return ids, marks


def translations(
    encoder: Encoder, pairs: list[tuple[str, str]], titles: list[str], chance: random.Random
) -> Iterator[Talk]:
    """Conversations of at most ``PAIR`` tokens in which every pair comes once in each direction."""
    encoded = [(encoder.encode(english), encoder.encode(chinese)) for english, chinese in pairs]
    for target in ("en", "zh"):
        order = chance.sample(range(len(pairs)), len(pairs))
        row: Talk | None = None
        for index in order:
            english, chinese = encoded[index]
            words, answer = (chinese, english) if target == "en" else (english, chinese)
            turn = talk.said(words) + talk.answered(answer)
            if row is None or len(row.ids) + len(turn.ids) > PAIR:
                if row is not None:
                    yield row
                opened = chance.random() < OPENED
                title = chance.choice(titles)
                opening = talk.book_translation(target, title) if opened else talk.translation(target)
                row = talk.said(encoder.encode(opening))
            row = row + turn
        if row is not None:
            yield row


def lessons(
    encoder: Encoder, tales: list[corpus.Tale], titled: list[tuple[str, str]], chance: random.Random
) -> Iterator[Talk]:
    """Questions on passages, passages judged, chapters given a title; in random order."""
    talks = []
    asked = [(tale.tale, question) for tale in tales for question, _ in tale.questions]
    for tale in tales:
        turns = [(words, chance.choice(answers)) for words, answers in tale.questions]
        chance.shuffle(turns)
        # Every question once with the passage before it, so that the first turn is not a rare one.
        for at, (words, answer) in enumerate(turns):
            more = [(f"Question: {words}", answer) for words, answer in turns[at + 1 : at + 3]]
            talks.append([(talk.question(tale.text, words), answer), *more])
        yes = chance.choice(turns)[0]
        no = chance.choice(
            [words for name, words in chance.choices(asked, k=9) if name != tale.tale] or [yes]
        )
        for words, answer in ((yes, "yes"), (no, "yes" if no == yes else "no")):
            talks.append([(talk.judgement(tale.text, words), answer)])
    talks += [[(talk.heading(text[:TITLED]), title)] for title, text in titled]
    chance.shuffle(talks)
    for turns in talks:
        yield talk.conversation(encoder.encode, "", turns)


def write(place: Path, ids: np.ndarray, marks: np.ndarray | None = None) -> dict:
    """Rows, and their marks if not all are to be learned, in a file; what it holds, for the record."""
    from safetensors.numpy import save_file

    tensors = {"ids": ids} if marks is None else {"ids": ids, "marks": marks}
    save_file(tensors, place)
    learned = ids.size if marks is None else int((marks == 2).sum())
    found = {"rows": len(ids), "length": ids.shape[1], "tokens": ids.size, "learned": learned}
    log.info("%s: %d rows of %d, %d tokens, %d to be learned", place.name, *found.values())
    return found | {"sha256": hashlib.sha256(place.read_bytes()).hexdigest()}


@command
def main(arguments: list[str] | None = None) -> None:
    """Encode the corpus."""
    parser = corpus_parser("data", "Encode the corpus into rows of tokens.")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with tokenizer.json")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    encoder = load_encoder(options.tokenizer)
    chance = random.Random(f"rows {options.seed}")
    record: dict[str, dict] = {}

    def keep(name: str, ids: np.ndarray, marks: np.ndarray | None = None) -> None:
        record[name] = write(options.out / f"{name}.safetensors", ids, marks)

    titles: list[str] = []
    titled: list[tuple[str, str]] = []
    for name, books in (
        ("en", corpus.english(options.source, options.seed)),
        ("zh", corpus.chinese(options.source)),
    ):
        rows: dict[bool, list[np.ndarray]] = {False: [], True: []}
        for book in books:
            rows[book.held].append(prose(encoder, book.text))
            if not book.held:
                titles.append(Path(book.name).stem)
                titled += book.chapters
        keep(name, np.concatenate(rows[False]))
        keep(f"{name}-held", np.concatenate(rows[True]))
    pairs, held = corpus.pairs(options.source, options.held_out)
    turns = (talk for _ in range(PASSES) for talk in translations(encoder, pairs, titles, chance))
    keep("pairs", *packed(turns, PAIR))
    keep("pairs-held", *packed(translations(encoder, held, titles, chance), PAIR))
    tales = corpus.tales(options.source, "train")
    keep("lessons", *packed(lessons(encoder, tales, titled, chance), LESSON))
    tales = corpus.tales(options.source, "val")
    keep("lessons-held", *packed(lessons(encoder, tales, [], chance), LESSON))
    tokenizer = (options.tokenizer / "tokenizer.json").read_bytes()
    whole = {
        "seed": options.seed,
        "vocabulary": encoder.vocab_size,
        "tokenizer_sha256": hashlib.sha256(tokenizer).hexdigest(),
        "pairs": len(pairs),
        "sources": record,
    }
    (options.out / "data.json").write_text(json.dumps(whole, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
