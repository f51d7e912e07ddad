"""``python -m longread.pocket.train.tokenizer --source DIR --held-out PAIRS --out DIR``: the vocabulary.

A byte-level BPE behind GPT-2's pre-tokenizer, which tiktoken and transformers both run. Knows how much of
each language the vocabulary is learned from. Knows no model.

Chinese is learned character by character: a common one is one token and no token is longer, so that the
few sentence pairs meet the same tokens again and again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from longread.pocket.train import corpus, talk
from longread.pocket.train.command import command, corpus_parser, log

# Characters of each English and Chinese book, and how often the pairs are read, chosen so that the 2,500
# commonest characters of the pairs become tokens.
ENGLISH, CHINESE, PAIRS = 20_000, 150_000, 15
_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"


def texts(source: Path, held_out: Path, seed: int) -> Iterator[str]:
    """What the vocabulary is learned from: the middle of each book, and the pairs."""
    for book in corpus.english(source, seed):
        if not book.held:
            yield _middle(book.text, ENGLISH)
    for book in corpus.chinese(source):
        if not book.held:
            yield _middle(book.text, CHINESE)
    for pair in corpus.pairs(source, held_out)[0]:
        yield f"{pair[0]}\n{pair[1]}\n" * PAIRS


def train(lines: Iterator[str], size: int) -> dict:
    """``tokenizer.json`` as a dictionary, with ``size`` entries, the special tokens among them."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(_HAN), "isolated"), level])
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[AddedToken(name, special=True, normalized=False) for name in talk.SPECIAL],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    # No merge reaches across a character, so the split is not needed any more.
    tokenizer.pre_tokenizer = level
    tokenizer.decoder = decoders.ByteLevel()
    return json.loads(tokenizer.to_str())


@command
def main(arguments: list[str] | None = None) -> None:
    """Learn the vocabulary and write ``tokenizer.json``."""
    parser = corpus_parser("tokenizer", "Learn the vocabulary.")
    parser.add_argument("--size", type=int, default=10240)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    layout = train(texts(options.source, options.held_out, options.seed), options.size)
    place = options.out / "tokenizer.json"
    place.write_text(json.dumps(layout, ensure_ascii=False, indent=1), encoding="utf-8")
    log.info("%s: %d entries", place, len(layout["model"]["vocab"]))


def _middle(text: str, length: int) -> str:
    begin = max(0, (len(text) - length) // 2)
    return text[begin : begin + length]


if __name__ == "__main__":
    main()
