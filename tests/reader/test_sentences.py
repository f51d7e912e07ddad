from __future__ import annotations

import itertools
import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longread.reader import sentences as rules
from longread.reader.sentences import sentences

BOOKS = Path(__file__).parents[2] / "../shared/data/books"


def split(text: str, language: str = "en") -> list[str]:
    return [text[a:b] for a, b in sentences(text, language)]


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Mr. Darcy met Dr. Grantly in St. Ives.", "They spoke."]),
        ("en", ["It was J. R. Smith, of the U.S. Navy, who came.", "Nobody else did."]),
        ("en", ['"Go!" cried John.', "He went.", '"Why?" said she.', '"Because."']),
        ("en", ["Oh! what a day it was.", "It cost 3.50 at 5 p.m. on Monday."]),
        ("en", ["It was I.", "She had gone by 10 p.m.", "The door stood open."]),
        ("en", ["He waited... and waited.", "Nothing came...", "Then a knock."]),
        ("en", ["See vol. 3 and p. 14 for it.", "It was a work of art.", "No one came."]),
        ("en", ["The end of it.[12]", "Another began (so he said).", "“Well!”", "‘Indeed.’"]),
        (
            "fr",
            [
                "M. Dupont et Mme Verdurin arrivèrent.",
                "« C’est bien ! » dit-il.",
                "Il releva son col.",
                "Il partit.",
            ],
        ),
        ("fr", ["Que faire ?", "« Venez ! »", "Ils vinrent."]),
        ("de", ["Am 3. Mai kam Hr. Müller.", "»Komm!« sagte er.", "Es war im 19. Jahrhundert."]),
        ("de", ["Das war 1867.", "Der Kaiser Wilhelm II. Sohn kam nie.", "„Gut.“", "Sie ging."]),
        ("ru", ["А. С. Пушкин жил на ул. Мойка.", "Он дал им.", "Потом ушел."]),
        ("xx", ["Dr. Ama came.", "She left."]),
    ],
)
def test_alphabets(language: str, expected: list[str]) -> None:
    assert split(" ".join(expected), language) == expected


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("zh", ["他走了。", "“你来吗？”", "宝玉道：“来了！”", "众人都笑……不止。"]),
        ("zh-Hant", ["他問：「去不去？」", "「不去。」", "天黑了。"]),
        ("zh", ["此开卷第一回也．", "作者自云．", "约3．5里。"]),
        ("ja", ["「行くな。」と彼は言った。", "雨が降る。", "「なぜ？」", "誰も答えない。"]),
    ],
)
def test_chinese_and_japanese(language: str, expected: list[str]) -> None:
    assert split("".join(expected), language) == expected


def test_line_breaks_are_spaces_and_empty_lines_end() -> None:
    assert split("He walked\nhome with Mr.\nSlope. She\nstayed.") == [
        "He walked\nhome with Mr.\nSlope.",
        "She\nstayed.",
    ]
    assert split("CHAPTER I\n\nit began\r\n \r\nagain") == ["CHAPTER I", "it began", "again"]
    assert split("「行くか」\n「行く」\n\u3000雨が\n降る", "ja") == ["「行くか」", "「行く」", "雨が\n降る"]


@given(
    st.text(alphabet="aB.!?…\"'”“»« \n。」「，1(—)m\u3000"),
    st.sampled_from(["en", "fr", "de", "ru", "zh", "ja", "und", ""]),
)
def test_every_text_is_covered_in_order(text: str, language: str) -> None:
    spans = sentences(text, language)
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
    assert all(text[a:b] == text[a:b].strip() and a < b for a, b in spans)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


def test_a_sentence_does_not_depend_on_what_lies_in_other_paragraphs() -> None:
    paragraphs = [
        '"Go!" he said. Mr. B. went.',
        "It is 5 p.m. Now.",
        "M. X... and Y. Z?",
        "(So. It ended.) Yes.",
    ]
    whole = "\n\n".join(paragraphs)
    assert split(whole) == [sentence for paragraph in paragraphs for sentence in split(paragraph)]


# The same rule as one would first write it: it gives the same matches, in cubic time.
_PLAIN = {
    "en": r"([.!?…‽؟۔।॥]+(?:\s?\.)*)((?:[\"'”’»›«‹“)\]}*_]|\[\d{1,4}\]|\(\d{1,3}\)|[¹²³⁴-⁹†‡])*)(\s+|\Z)",
    "fr": r"([.!?…]+(?:\s?\.)*)"
    r"((?:[\"'”’»›«‹“)\]}*_]|\[\d{1,4}\]|\(\d{1,3}\)|[¹²³⁴-⁹†‡]|[ \u00a0\u202f]»)*)(\s+|\Z)",
}


@given(st.text(alphabet='aB.!?…؟"”» \n\u00a0(1)[]', max_size=40), st.sampled_from(["en", "fr"]))
def test_the_quick_pattern_finds_what_the_plain_one_does(text: str, language: str) -> None:
    quick = {"en": rules._END, "fr": rules._END_FR}[language]
    found = [match.span(group) for match in quick.finditer(text) for group in range(4)]
    plain = re.finditer(_PLAIN[language], text)
    assert found == [match.span(group) for match in plain for group in range(4)]


@pytest.mark.parametrize("language", ["en", "fr", "de", "und"])
@pytest.mark.parametrize("run", [".", "!.", "…", " .", ". ..", '."'])
def test_endless_dots_take_linear_time(language: str, run: str) -> None:
    text = "Chapter One" + run * 20_000 + "x"
    began = time.process_time()
    assert "".join(split(text, language)).replace(" ", "") == text.replace(" ", "")
    assert time.process_time() - began < 10  # a run looked at from each of its dots takes minutes


def test_a_long_novel_is_split_in_time() -> None:
    chance = random.Random(0)
    words = ["Mr.", "came", "end.", '"Why?"', "went,", "St.", "...", "he", "The", "J.", "p.m.", "x!"]
    text = " ".join(chance.choices(words, k=220_000))
    began = time.process_time()
    spans = sentences(text, "en")
    assert len(text) > 900_000 and len(spans) > 10_000
    assert time.process_time() - began < 20  # going over the text again for each sentence would take hours


def test_real_books_give_sentences_of_a_novel() -> None:
    """Of five languages: hardly any sentence ends on an abbreviation or begins in lower case."""
    files = {"fr": "other/fr-Verne-2ans.txt", "de": "other/de-verne-20000.txt", "en": "en/43281.txt"}
    missing = [name for name in files.values() if not (BOOKS / name).exists()]
    if missing:
        pytest.skip(f"no book at hand: {missing}")
    for language, name in files.items():
        text = (BOOKS / name).read_text(encoding="utf-8")
        found = split(text, language)
        mean = sum(len(one.split()) for one in found) / len(found)
        assert 8 < mean < 40, (language, mean)
        cut = [one for one in found if one.endswith((" Mr.", " Mrs.", " Dr.", " M.", " Hr.", " St."))]
        assert len(cut) <= len(found) / 1000, (language, cut[:5])
