"""BLEU and chrF of translations of sentence pairs, without an adapter and with one that learns on the way.

Knows a table of pairs, one a line, and the two arms. "kept" is the translation as a user gets it, where what
failed the checks is left in the source language; "written" is the first try of each sentence, sound or not.

    python tests/tasks/translation_quality.py PAIRS.tsv [--src en] [--tgt zh] [--pairs 500] [--model pocket]
        [--learn | --no-learn] [--swap]

The pairs stand in the file in the order source, target; ``--swap`` turns them round.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import longread
from longread.tasks.translate import translator
from longread.tasks.translate.tables import rows


def translated(sources: Sequence[str], **options) -> tuple[list[str], list[str], int, float]:
    """Each source's translation, its first try, how many segments passed the checks, and the seconds."""
    first: dict[str, str] = {}
    check = translator.wrong

    def noted(text, ended, special, source, *rest):
        first.setdefault(source, text)
        return check(text, ended, special, source, *rest)

    translator.wrong = noted
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.txt"
        path.write_text("".join(f"{source}\n\n" for source in sources), encoding="utf-8")
        began = time.perf_counter()
        result = longread.translate(path, anyway=True, save=False, **options)
        seconds = time.perf_counter() - began
    translator.wrong = check
    kept, written = ["" for _ in sources], ["" for _ in sources]
    for segment in result.segments:
        at = segment.paragraph
        kept[at] = f"{kept[at]} {segment.target}".strip()
        written[at] = f"{written[at]} {first.get(segment.source, segment.source)}".strip()
    return kept, written, sum(segment.ok for segment in result.segments), seconds


def figures(texts: Sequence[str], references: Sequence[str], language: str) -> tuple[float, float]:
    """Corpus BLEU, in characters for Chinese, and chrF."""
    import sacrebleu

    tokens = {"zh": "zh", "ja": "char"}.get(language, "13a")
    bleu = sacrebleu.corpus_bleu(texts, [references], tokenize=tokens)
    return bleu.score, sacrebleu.corpus_chrf(texts, [references]).score


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--src", default="en")
    parser.add_argument("--tgt", default="zh")
    parser.add_argument("--swap", action="store_true")
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--learn", action=argparse.BooleanOptionalAction)
    options = parser.parse_args(arguments)
    table = [(row["source"], row["target"]) for _, row in rows(options.table, ("source", "target"))]
    table = [pair[::-1] if options.swap else pair for pair in table[: options.pairs]]
    sources, references = map(list, zip(*table, strict=True))
    copied = figures(sources, references, options.tgt)
    print(f"{len(table)} pairs, {options.src} to {options.tgt}, {options.model}")
    print(f"{'source left as it is':24} BLEU {copied[0]:5.2f}  chrF {copied[1]:5.2f}")
    for learn in (False, True) if options.learn is None else (options.learn,):
        kept, written, sound, seconds = translated(
            sources, src=options.src, tgt=options.tgt, model=options.model, learn=learn
        )
        arm = "learning on the way" if learn else "without an adapter"
        print(f"{arm}: {sound} segments passed, {seconds:.0f} s")
        for name, texts in (("kept", kept), ("written", written)):
            bleu, chrf = figures(texts, references, options.tgt)
            print(f"  {name:22} BLEU {bleu:5.2f}  chrF {chrf:5.2f}")


if __name__ == "__main__":
    main()
