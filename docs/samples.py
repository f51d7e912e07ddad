"""Writes docs/samples/: what the program prints for the bundled books, from real runs.

    python docs/samples.py            run every command and write the pages; some minutes on two cores
    python docs/samples.py zh         one page

Knows which commands a page shows. The output is whatever they print on standard output, wrapped at 100
columns as a terminal does; nothing is shortened or put right. A run starts with a home of its own, so that
nothing read or set before counts.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from longread.cli.render.cells import breaks

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "samples"
WIDTH = 100

HEADS = {
    "en": """\
# The Mud Book (`sample:en`)

What longread prints for the bundled novella, with the bundled model.""",
    "zh": """\
# 鹤嘴的琴 (`sample:zh`)

What longread prints for the bundled Chinese story, with the bundled model. The story's
[English translation](../../longread/samples/the_piano_zh_in_english.txt) has the same paragraphs.""",
}
MADE = "<!-- Made by docs/samples.py from real runs. Do not edit. -->"
# Of each page: what is said of a command, and its words. Failures are among them on purpose.
PAGES = {
    "en": (
        ("The gist, in about 150 words, quoted", ["summarize", "sample:en", "--length", "short"]),
        ("A passage for each chapter", ["summarize", "sample:en", "--by", "chapter", "--length", "medium"]),
        (
            "A question, with the best of its evidence",
            ["ask", "sample:en", "How many buckets are there on the chain?", "--evidence", "1"],
        ),
        (
            "One that is answered wrongly: the words match another place",
            ["ask", "sample:en", "By what nickname do Agnes's colleagues know her?", "--evidence", "1"],
        ),
        (
            "One that the book does not answer",
            ["ask", "sample:en", "Who shot the Archduke in Sarajevo?", "--evidence", "1"],
        ),
    ),
    "zh": (
        ("The gist, in about 250 characters, quoted", ["summarize", "sample:zh", "--length", "short"]),
        ("A passage for each chapter", ["summarize", "sample:zh", "--by", "chapter", "--length", "medium"]),
        (
            "A question, with the best of its evidence",
            ["ask", "sample:zh", "谁提着灯去引车，结果断了一条腿？", "--evidence", "1"],
        ),
        ("Another", ["ask", "sample:zh", "站房离进站信号机有多远？", "--evidence", "1"]),
        (
            "One that the story does not answer",
            ["ask", "sample:zh", "是谁在萨拉热窝刺杀了大公？", "--evidence", "1"],
        ),
    ),
}


def printed(command: list[str], home: Path) -> str:
    """Standard output of ``longread`` with these words; ``SystemExit`` where it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LONGREAD_")}
    paths = [str(ROOT), str(ROOT / "kernels"), os.environ.get("PYTHONPATH", "")]
    kept |= {"LONGREAD_HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    ran = subprocess.run(
        [sys.executable, "-m", "longread", *command],
        cwd=home,
        env=kept,
        capture_output=True,
        encoding="utf-8",
    )
    if ran.returncode:
        raise SystemExit(f"longread {shlex.join(command)} ended with {ran.returncode}:\n{ran.stderr}")
    return ran.stdout


def wrapped(text: str) -> str:
    """``text`` in lines of at most ``WIDTH`` columns, of which a Chinese character takes two."""
    rows = []
    for line in text.splitlines():
        cuts = [0, *breaks(line, WIDTH), len(line)]
        rows += [line[low:high].rstrip() for low, high in pairwise(cuts)]
    return "\n".join(rows)


def spelled(command: list[str]) -> str:
    """``command`` as a person types it."""
    return " ".join(f'"{word}"' if " " in word or not word.isascii() else word for word in command)


def page(code: str, home: Path) -> str:
    """One page, every command on it run."""
    parts = [HEADS[code], MADE]
    for caption, command in PAGES[code]:
        print(f"longread {spelled(command)}", file=sys.stderr)
        parts.append(f"## {caption}\n\n```sh\nlongread {spelled(command)}\n```")
        parts.append(f"```text\n{wrapped(printed(command, home))}\n```")
    return "\n\n".join(parts) + "\n"


def main(codes: list[str]) -> int:
    if unknown := [code for code in codes if code not in PAGES]:
        print(f"there is no page {', '.join(unknown)}; there is {', '.join(PAGES)}", file=sys.stderr)
        return 2
    TARGET.mkdir(parents=True, exist_ok=True)
    for code in codes or PAGES:
        with tempfile.TemporaryDirectory() as home:
            (TARGET / f"{code}.md").write_text(page(code, Path(home)), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
