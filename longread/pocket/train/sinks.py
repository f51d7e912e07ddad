"""``python -m longread.pocket.train.sinks --data DIR --tokenizer DIR --source DIR --out DIR``.

What a learned sink is worth: the experiment of StreamingLLM (2309.17453, section 3.3) on a small model. One
recipe, once with a learned sink in front of every training sequence and once without, then unseen novels read
with 0, 1, 2 and 4 sinks and a window. Knows the table; training, export and reading are the recipe's own.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from longread.pocket.train import evaluate, export, run
from longread.pocket.train.batches import Rows
from longread.pocket.train.command import command, log
from longread.pocket.train.state import State

SINKS = (0, 1, 2, 4)
WINDOW, BLOCK = 512, 128


def trained(options: argparse.Namespace, sink: bool) -> Path:
    """The model's folder after training with or without a sink; what was begun goes on."""
    place = options.out / ("sink" if sink else "plain")
    state = State(place / "run")
    trainer = run.trainer_of(options, Rows(options.data, options.seed, sink=sink))
    found = state.newest()
    if found:
        trainer.load(*found)
    run.train(trainer, state, options, lambda: False)
    export.write(place / "model", *state.newest(), options.tokenizer, kind="average", sink=sink)
    return place / "model"


def table(folder: Path, books: list[Path], characters: int) -> dict[str, float]:
    """Perplexity for each number of sinks, the window's size being the same."""
    found = {}
    for sinks in SINKS:
        arm = "sink" if sinks else "window"
        given = {"sinks": sinks} if sinks else {}
        read = evaluate.reading(folder, books, characters, arm, window=WINDOW, block=BLOCK, **given)
        found[str(sinks)] = round(read["perplexity"], 3)
    return found


@command
def main(arguments: list[str] | None = None) -> None:
    """Train both, read, and write ``sinks.json`` and the table."""
    parser = run.parser()
    parser.prog, parser.description = "sinks", "What a learned sink is worth."
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with tokenizer.json")
    parser.add_argument("--source", type=Path, required=True, help="folder with books/")
    parser.add_argument("--books", type=int, default=5, help="so many unseen novels")
    parser.add_argument("--characters", type=int, default=evaluate.CHARACTERS, help="of each")
    parser.set_defaults(tokens=2_000_000, decay=500_000)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    books = sorted((options.source / "books" / "en").glob("*.txt"))[::2][: options.books]
    found = {}
    for sink in (True, False):
        folder = trained(options, sink)
        found["learned sink" if sink else "no sink"] = table(folder, books, options.characters)
    (options.out / "sinks.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for kind, row in found.items():
        log.info("%s: %s", kind, "  ".join(f"{sinks}+{WINDOW - int(sinks)} {row[sinks]}" for sinks in row))


if __name__ == "__main__":
    main()
