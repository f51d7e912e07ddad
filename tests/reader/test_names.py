from __future__ import annotations

import random

import pytest

from longread.reader.names import NameCounter


def count(language: str, *chapters: list[str]) -> dict[str, tuple[int, int | None]]:
    counter = NameCounter(language)
    for chapter, lines in enumerate(chapters):
        for line in lines:
            counter.add(line, chapter)
    return {name: (times, first) for name, times, first in counter.top(50)}


def test_people_with_titles_possessives_and_particles() -> None:
    found = count(
        "en",
        ["Then Mr. Darcy saw Lady Catherine de Bourgh.", "She knew Mr. Darcy's horse."],
        ["There Darcy met Lady Catherine de Bourgh and the Prince of Wales.", "In London, Mr. Darcy danced."],
        [
            "So the Prince of Wales left London with Eleanor’s Bertie.",
            "To Bertie it was nothing; Bertie slept.",
        ],
    )
    assert found["Mr. Darcy"] == (4, 0)
    assert found["Lady Catherine de Bourgh"] == (2, 0)
    assert found["Prince of Wales"] == (2, 1)
    assert found["London"] == (2, 1)
    assert found["Bertie"] == (3, 2)
    assert "Darcy" not in found


def test_capitals_that_mark_no_name() -> None:
    lines = [
        "On Monday he read Chapter XI aloud, and I said Oh!",
        "The house stood; the STORM came; and then a French ship.",
        "Poor Eleanor wept.",
        "Poor people wept, and poor Eleanor with them.",
        "House by house they went, said Eleanor to the house.",
    ]
    found = count("en", lines * 3)
    assert set(found) == {"Eleanor"}
    assert found["Eleanor"] == (9, 0)


def test_a_word_met_only_at_the_start_of_sentences_is_no_name() -> None:
    found = count("en", ["Nobody came.", "Nobody went.", "“Nobody!” he cried.", "He said: Nobody knows."] * 5)
    assert not found


def test_two_people_of_one_surname_stay_two() -> None:
    lines = ["There sat Mrs. Proudie.", "There stood Dr. Proudie.", "There was Proudie."]
    found = count("en", lines * 5)
    assert found["Mrs. Proudie"][0] == 5 and found["Dr. Proudie"][0] == 5


def test_german_nouns_are_no_names() -> None:
    lines = [
        "Gestern ging Conseil in das Haus, und der Hund sah Conseil.",
        "Im Haus stand ein Hund, und Conseil rief den Hund.",
        "Der Kapitän sah das Meer; auf dem Meer schwamm Ned, und Ned rief.",
        "Das Haus am Meer war leer, sagte Ned zum Hund.",
    ]
    found = count("de", lines * 2)
    assert set(found) == {"Conseil", "Ned"}


def test_russian_cases_are_one_name() -> None:
    found = count(
        "ru", ["Тут Базаров встал.", "Он видел Базарова.", "Она дала Базарову руку.", "А Базаров молчал."]
    )
    assert found == {"Базаров": (4, 0)}


def test_french_elisions() -> None:
    found = count(
        "fr", ["On vit l’Espagne, puis d’Artagnan.", "Alors d’Artagnan quitta l’Espagne avec Mme Bonacieux."]
    )
    assert found["Artagnan"][0] == 2 and found["Espagne"][0] == 2


@pytest.mark.parametrize("language", ["zh", "ja", "zh-Hant"])
def test_without_capitals_there_is_nothing(language: str) -> None:
    assert count(language, ["Zhang San 来了。", "他见了 Zhang San。"] * 3) == {}


def test_the_rare_are_forgotten_and_the_common_kept() -> None:
    counter = NameCounter("en", capacity=100)
    chance = random.Random(0)
    for number in range(5000):
        invented = "".join(chance.choices("bcdfgklmnprstvz", k=9)).capitalize()
        counter.add(f"There went {invented} with a {invented.lower()}x.", number)
        if number % 3 == 0:
            counter.add("There went Ahab again.", number)
    assert counter.top(1)[0] == ("Ahab", 1667, 0)
    assert len(counter._forms) <= 201 and len(counter._lower) <= 201 and len(counter._capital) <= 201


@pytest.mark.parametrize("apostrophe", ["'", "’"])
def test_a_contraction_is_no_name(apostrophe):
    counter = NameCounter("en")
    for _ in range(20):
        counter.add(f"He said that I{apostrophe}d go, and I{apostrophe}m sure that Obed came.", 0)
    assert [name for name, _, _ in counter.top(5)] == ["Obed"]


@pytest.mark.parametrize(("title", "printed"), [("Mrs", "Mrs Noakes"), ("Mrs.", "Mrs. Noakes")])
def test_a_title_is_printed_as_the_book_has_it(title, printed):
    counter = NameCounter("en")
    for _ in range(9):
        counter.add(f"The hat was {title} Noakes, and so was the dog.", 0)
    counter.add("The hat was Mrs Noakes and Mrs. Noakes.", 0)
    assert [name for name, _, _ in counter.top(1)] == [printed]
