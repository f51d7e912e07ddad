"""Language, words, title: what the first pass says of a text. And that it needs no memory for it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longread.reader import language, titles
from longread.reader.counts import Words

ROOT = Path(__file__).resolve().parents[2]

SAMPLES = {
    "en": "It was the best of times, and he had not seen her for a year, but she was there with him.",
    "fr": "Il n'était pas dans la maison, et elle ne savait plus qui avait pris les clefs sur la table.",
    "de": "Er war nicht in dem Haus, und sie wusste auch nicht, wer die Schlüssel von dem Tisch nahm.",
    "es": "No estaba en la casa, y ella no sabía más que él, pero había visto las llaves en su mesa.",
    "it": "Non era nella casa, e lei non sapeva più di lui, ma aveva visto le chiavi che sono con il re.",
    "ru": "Он не был в доме, и она тоже не знала, кто взял ключи со стола, но всё это было давно.",
    "ja": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。",
    "zh-Hans": "这个时候他们说，我们还没有看见那个地方，为什么要回来呢？",
    "zh-Hant": "這個時候他們說，我們還沒有看見那個地方，為什麼要回來呢？",
    "und": "Xyzzy plugh 12345.",
}


@pytest.mark.parametrize("code", SAMPLES)
def test_languages(code):
    assert language.detect(SAMPLES[code] * 3) == code


CJK = re.compile(r"[\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


@given(
    st.lists(
        st.sampled_from(["a", "é", "word", " ", "\n", "漢", "かな", "。", "　", "，", "Ж"]), max_size=40
    ),
    st.integers(1, 5),
)
def test_words(parts, size):
    text = "".join(parts)
    spaced = re.sub(r"[。，　]", " ", text)
    expected = len(CJK.findall(spaced)) + len(CJK.sub(" ", spaced).split())
    words = Words()
    for at in range(0, len(text), size):
        words.add(text[at : at + size])
    assert words.count == expected


@pytest.mark.parametrize(
    ("lines", "title", "author"),
    [
        (["THE HARVESTER", "By Gene Stratton-Porter", "CHAPTER I"], "THE HARVESTER", "Gene Stratton-Porter"),
        (["THE MILL", "by", "B. WRITER", "Author of 'The River'"], "THE MILL", "B. WRITER"),
        (["Jules Verne", "Deux Ans de vacances", "CHAPITRE PREMIER."], "Deux Ans de vacances", "Jules Verne"),
        (["《西游记》吴承恩（明）", "第一回 灵根育孕源流出"], "西游记", "吴承恩"),
        (["老殘遊記老殘遊記老殘遊記"], "老殘遊記", ""),
        (["吾輩は猫である", "夏目漱石", "一"], "吾輩は猫である", "夏目漱石"),
        (["Translated by A. Other", "CHAPTER I", "He went home and was not seen again."], "my book", ""),
        (
            ["It was a dark night, and the rain fell on the roof, and he had nowhere to go but home."],
            "my book",
            "",
        ),
    ],
)
def test_titles(lines, title, author):
    assert titles.find(lines, "/somewhere/my_book.txt") == (title, author)


@pytest.mark.skipif(os.name == "nt", reason="names there are no bytes")
@pytest.mark.parametrize(
    ("name", "title"), [(b"caf\xe9.txt", "caf"), (b"a_\x1b[2J\nb.txt", "a [2J b"), (b"\xe9.txt", ".txt")]
)
def test_a_title_made_of_a_name_can_be_written(name, title):
    assert titles.find([], os.fsdecode(name)) == (title, "")


PEAK = """
import resource, sys
from longread.reader import open_document
with open_document(sys.argv[1]) as document:
    last = None
    for last in document.passages(document.characters - 5000):
        pass
    assert last.end <= document.characters
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
@pytest.mark.parametrize("line", ["wrapped", "one line"])
def test_memory_does_not_grow_with_the_text(tmp_path, line):
    sentence = "He walked along the river until the sun went down and thought of nothing"
    unit = (sentence + ("\n" if line == "wrapped" else ". ")) * 12 + ("\n" if line == "wrapped" else "")
    peaks = []
    for megabytes in (1, 64):
        path = tmp_path / f"{megabytes}.txt"
        with open(path, "w", encoding="utf-8", newline="\n") as handle:
            for number in range(megabytes):
                handle.write(f"CHAPTER {number + 1}\n\n" if line == "wrapped" else "")
                handle.write(unit * (1_000_000 // len(unit)))
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(path)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
            timeout=240,
        )
        peaks.append(int(done.stdout))
    scale = 1024 if sys.platform == "darwin" else 1
    assert peaks[1] - peaks[0] < 8_000 * scale, peaks
