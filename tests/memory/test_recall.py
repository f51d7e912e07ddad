"""Recall on a real index: what is found, what is refused, what fits a prompt."""

from __future__ import annotations

import pytest

from longread.memory.recall import pack, recall
from longread.reader import open_document
from longread.store.passages import Passages

FILLER = "Nothing of any note took place that day, and the clerk wrote so in his book. " * 9 + "\n\n"
BOOK = (
    FILLER * 4
    + "The captain of the lighthouse near Oban kept nineteen cats, and fed them herring.\n\n"
    + FILLER * 4
    + "Agatha bought a small bakery in Lisbon from the widow Pereira.\n\n"
    + FILLER * 4
)


@pytest.fixture
def index(tmp_path):
    path = tmp_path / "book.txt"
    path.write_text(BOOK, encoding="utf-8")
    with open_document(str(path)) as document, Passages.build(tmp_path / "book.db", document) as passages:
        yield passages


@pytest.mark.parametrize(
    "question",
    [
        "How many cats did the captain keep?",
        "What did the captain feed his cats?",
        "Who sold Agatha the bakery in Lisbon?",
        "Why didn't Agatha buy the bakery in Lisbon?",
    ],
)
def test_what_the_text_answers_is_found_first(index, question):
    found = recall(index, question, 3)
    assert found.found and found.support > 1
    assert ("herring" in found.hits[0].text) or ("Pereira" in found.hits[0].text)


@pytest.mark.parametrize(
    "question",
    [
        "What does the whale do to the harpooner's leg?",
        "Why does the dragon guard the mountain's gold?",
        "Where did Raskolnikov hide the captain's cats?",  # all but the name is there
        "???",
        "",
    ],
)
def test_what_it_does_not_answer_is_refused(index, question):
    assert not recall(index, question, 3).found


def test_a_name_is_a_stranger_where_the_text_never_has_it(index):
    def strangers(question: str) -> tuple[str, ...]:
        return recall(index, question, 3).strangers

    assert strangers("Did Agatha meet Rodion in Lisbon?") == ("Rodion",)
    assert strangers("Rodion and Agatha?") == ()  # a first word has its capital by its place
    assert strangers("What did Agatha’s aunt and I buy?") == ()
    assert strangers("Who gave Mr. Raskolnikov the bakery?") == ("Raskolnikov",)
    assert strangers("What did Dr Agatha buy?") == ()  # a book may write Doctor
    assert strangers("WHO BOUGHT A BAKERY IN PARIS?") == ()  # capitals that mark nothing


def test_only_the_part_is_recalled_from(index):
    at = BOOK.index("Agatha")
    assert recall(index, "How many cats did the captain keep?", 3, 0, at).found
    late = recall(index, "How many cats did the captain keep?", 3, at)
    assert all("herring" not in hit.text for hit in late.hits)


def test_passages_are_packed_in_the_order_of_the_book_and_the_best_first_to_stay(index):
    hits = index.search("Agatha bakery captain cats clerk", 4)
    whole = pack(hits, 10_000, len)
    assert [hit.start for _, hit in whole] == sorted(hit.start for hit in hits)
    assert {rank for rank, _ in whole} == {1, 2, 3, 4}
    assert all(hits[rank - 1] is hit for rank, hit in whole)
    room = len(f"[1] {hits[0].text}\n")
    assert pack(hits, room, len) == [(1, hits[0])]
    assert pack(hits, room - 1, len) == []


def test_neighbours_found_for_one_question_are_one_passage(tmp_path):
    path = tmp_path / "book.txt"
    told = ["The captain kept cats. " * 30, "The captain fed his cats herring. " * 20]
    path.write_text("\n\n".join([FILLER * 9, *told, FILLER * 9]), encoding="utf-8")
    with open_document(str(path)) as document, Passages.build(tmp_path / "book.db", document) as passages:
        text = "".join(document.text())
        best, *others = recall(passages, "What did the captain feed his cats?", 3).hits
        assert len(best.text) == best.end - best.start
        assert text[best.start : best.end].split() == best.text.split() == "".join(told).split()
        assert all(hit.end <= best.start or hit.start >= best.end for hit in others)


def test_words_that_stand_together_come_before_the_same_words_apart(tmp_path):
    path = tmp_path / "book.txt"
    apart = "The stone lay there, and long after it the old men spoke of any bridge. " + FILLER
    together = "They met below the stone bridge, and the old men spoke long after it. " + FILLER
    path.write_text(FILLER * 9 + apart + FILLER * 9 + together + FILLER * 9, encoding="utf-8")
    with open_document(str(path)) as document, Passages.build(tmp_path / "book.db", document) as passages:
        assert "stone bridge" in recall(passages, "Who met at the stone bridge?", 3).hits[0].text
        assert "stone bridge" in recall(passages, "What of the stone bridge?", 3).hits[0].text


def test_a_person_called_will_is_found_and_not_the_verb(tmp_path):
    path = tmp_path / "book.txt"
    verb = "Whoever will cross the ford will be wet. “Will you cross it?” asked the clerk. " + FILLER
    met = "Will Stubb is the smith of the village. Will forged the anchor of the ferry. " + FILLER
    path.write_text(FILLER * 4 + verb * 3 + FILLER * 4 + met + FILLER * 9 + verb, encoding="utf-8")
    with open_document(str(path)) as document, Passages.build(tmp_path / "book.db", document) as passages:
        found = recall(passages, "Who is Will?", 3)
        assert found.found and "Will Stubb" in found.hits[0].text
        assert "anchor" in recall(passages, "What did Will forge?", 3).hits[0].text


def test_a_book_without_capitals_has_first_mentions_too(tmp_path):
    path = tmp_path / "book.txt"
    text = FILLER * 9 + "agatha bought a small bakery.\n\n" + FILLER * 9 + "agatha sold it.\n\n" + FILLER
    path.write_text(text, encoding="utf-8")
    with open_document(str(path)) as document, Passages.build(tmp_path / "book.db", document) as passages:
        assert "bakery" in recall(passages, "Who is Agatha?", 3).hits[0].text
