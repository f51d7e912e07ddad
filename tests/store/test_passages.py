"""The index of passages: real files, real SQLite."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from longread.errors import LongreadError
from longread.reader import open_document
from longread.store import passages
from longread.store.passages import Passages
from longread.store.terms import Stemmer, asked, spaced, unjoined

CHAPTER_ONE = "The captain lived in a lighthouse near Oban with nineteen cats. He fed them herring.\n\n"
FILLER = "Nothing of any note took place that day, and the clerk wrote so in his book. " * 4 + "\n\n"
BOOK = (
    "Chapter 1\n\n" + CHAPTER_ONE + FILLER * 5 + "Chapter 2\n\n" + FILLER * 4
    + "Agatha bought a café in Lisbon.\n\n" + FILLER * 3 + "Chapter 3\n\n" + FILLER * 6
)  # fmt: skip


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "book.txt"
    path.write_text(BOOK, encoding="utf-8")
    return path


def index(path: Path, folder: Path) -> Passages:
    with open_document(str(path)) as document:
        return Passages.build(folder / "index" / "book.db", document)


def test_passages_are_the_text_itself_in_order_and_in_one_chapter(book, tmp_path):
    with open_document(str(book)) as document, index(book, tmp_path) as passages:
        text = "".join(document.text())
        hits = passages.within(0, len(text))
        assert passages.count == len(hits) > 5
        assert [hit.number for hit in hits] == list(range(len(hits)))
        for hit in hits:
            assert text[hit.start : hit.end] == hit.text
            assert document.chapter_at(hit.start) == hit.chapter == document.chapter_at(hit.end - 1)
            assert hit.share == pytest.approx(hit.end / len(text))
        assert all(a.end <= b.start for a, b in pairwise(hits))
        told = "".join("".join(hit.text.split()) for hit in hits)
        whole = "".join(text.split())
        for heading in ("Chapter1", "Chapter2", "Chapter3"):
            whole = whole.replace(heading, "")
        assert told == whole


def test_short_paragraphs_are_joined_and_long_ones_divided(tmp_path):
    path = tmp_path / "long.txt"
    path.write_text(
        "“Yes.”\n\n" * 300 + "It was a long day and it rained. " * 300 + "\n\nThe end.\n", encoding="utf-8"
    )
    with index(path, tmp_path) as passages:
        sizes = [len(hit.text) for hit in passages.within(0, 1 << 40)]
        assert max(sizes) <= 1100
        assert sum(size < 300 for size in sizes) <= 2


def test_a_word_is_found_by_its_stem_and_without_its_accent(book, tmp_path):
    with index(book, tmp_path) as passages:
        for question in ("Which animals did the captains keep at lighthouses?", "Where is CAFE?"):
            best = passages.search(question, 3)[0]
            assert best.score > 0
            assert ("lighthouse" in best.text) or ("café" in best.text)
        assert passages.search("xylophone", 3) == []


@pytest.mark.parametrize(
    "question",
    [
        '"', "'", "captain AND (", "captain* NEAR(x, 2)", "text:captain", "-captain ^", "terms : captain",
        "\x00captain", "'; DROP TABLE passage; --", "a OR b AND NOT c", "{captain}", "captain\n\r\t",
        "\ud800captain", "", "   ", "？",
    ],
)  # fmt: skip
def test_a_question_is_words_and_never_syntax(book, tmp_path, question):
    with index(book, tmp_path) as passages:
        hits = passages.search(question, 3)
        assert passages.count and bool(hits) == ("captain" in question)


def test_the_part_limits_what_is_found(book, tmp_path):
    with index(book, tmp_path) as passages:
        second = BOOK.index("Chapter 2")
        assert "lighthouse" in passages.search("lighthouse", 1, 0, second)[0].text
        assert passages.search("lighthouse", 1, second, len(BOOK)) == []


def test_neighbours_stay_in_their_chapter(book, tmp_path):
    with index(book, tmp_path) as passages:
        for number in range(passages.count):
            near = passages.neighbours(number)
            assert number in [hit.number for hit in near]
            assert {hit.chapter for hit in near} == {passages.at(number).chapter}
        with pytest.raises(IndexError):
            passages.at(passages.count)


def test_rarity_is_the_highest_for_what_is_not_there(book, tmp_path):
    with index(book, tmp_path) as passages:
        rare, common, absent = passages.rarity(["lisbon", "clerk", "zebra"]).values()
        assert absent > rare > common > 0
        assert passages.has("lisbon") and not passages.has("zebra")


def test_chinese_is_found_by_pairs_of_characters(tmp_path):
    path = tmp_path / "zh.txt"
    filler = "这一日天气晴朗，众人都在院中闲坐说话，并无别事。" * 12 + "\n\n"
    path.write_text(
        "第一回\n\n" + filler * 3 + "孙悟空在花果山水帘洞称王。\n\n" + filler * 3, encoding="utf-8"
    )
    with index(path, tmp_path) as passages:
        assert passages.language.startswith("zh")
        assert "花果山" in passages.search("孙悟空在哪里称王？", 1)[0].text
        assert passages.search("猪八戒高老庄娶亲", 3) == []


def test_pairs_that_only_join_two_words_weigh_nothing():
    text = ("提灯", "巡道", "山口")
    assert unjoined(["提灯", "灯巡", "巡道"], text.__contains__, "zh-Hans") == ["提灯", "巡道"]
    # 骆驼 is a word that the text never has: what leans on the words beside it goes, the word stays.
    assert unjoined(["提灯", "灯骆", "骆驼", "驼巡", "巡道"], text.__contains__, "zh") == [
        "提灯",
        "骆驼",
        "巡道",
    ]
    assert unjoined(["山口", "钱"], text.__contains__, "ja") == ["山口"]
    assert unjoined(["骆驼", "钱"], text.__contains__, "zh") == ["骆驼"]
    assert unjoined(["钱"], text.__contains__, "zh") == ["钱"]  # nothing else is left
    assert unjoined(["cat", "tail"], text.__contains__, "en") == ["cat", "tail"]
    assert unjoined(["提灯", "去了"], text.__contains__, "zh") == ["提灯"]  # no word that a name might hold
    assert unjoined(["山口", "和尚"], (*text, "和尚").__contains__, "zh") == ["山口", "和尚"]


@pytest.mark.parametrize(
    ("text", "question", "found"),
    [
        ("哪吒闹海。", "哪吒是谁？", "哪吒"),
        ("那老和尚住山中。", "和尚住在哪里？", "和尚"),
        ("墙上挂着一口剑，下面是书案。", "剑在哪里？", "剑"),
        ("राम एक राजा था, और सीता रानी थी।", "राम कौन था?", "राम"),
        ("Elle s'appelait Hélène, et vivait à Lyon.", "Où vit He\u0301le\u0300ne ?", "Hélène"),
        ("Un avocat habitait rue Noire.", "Où habite l'avocat ?", "avocat"),
    ],
)
def test_words_of_other_scripts_and_spellings_are_found(tmp_path, text, question, found):
    path = tmp_path / "book.txt"
    others = {"र": "सब लोग बैठे थे।", "E": "On ne fit rien ce jour.", "U": "On ne fit rien ce jour."}
    filler = others.get(text[0], "众人都坐着说话，没有别的事。") * 40 + "\n\n"
    path.write_text(filler * 3 + text + "\n\n" + filler * 3, encoding="utf-8")
    with index(path, tmp_path) as passages:
        terms = passages.question_terms(question)
        known = [term for term in terms if passages.has(term)]
        rare = passages.rarity([*terms, "zyx"])
        assert known and all(0 < rare[term] < rare["zyx"] for term in known)
        assert found in passages.search(question, 1)[0].text
        assert set(terms) & set(passages.terms([text], terms)[0])
        assert len(passages.search(question, 9)) == 1


def test_terms_of_a_question():
    assert asked("Who is the captain's brother?", "en").split() == ["captain", "brother"]
    assert asked("Who is he?", "en").split() == ["Who", "is", "he"]  # nothing else is left
    assert asked("Why didn't Agatha’s aunt buy it?", "en").split() == ["Agatha", "aunt", "buy"]
    assert asked("孙悟空是谁？", "zh").split() == ["孙悟", "悟空"]


def test_a_name_in_a_question_is_no_stop_word():
    assert asked("Who is Will?", "en").split() == ["Will"]
    assert asked("What will Will and Mr. May do?", "en").split() == ["Will", "Mr", "May"]
    assert asked("What may I do? Will it do?", "en").split()[0] == "What"  # capitals by their place, and "I"
    assert asked("WHO WILL SELL IT?", "en").split() == ["SELL"]
    assert asked("Who Will Sell It?", "en").split() == ["Sell"]  # as headings are written
    assert asked("Who wrote the Mud Book?", "en").split() == ["wrote", "Mud"]  # the text itself
    assert asked("Wer ist der Müller?", "de").split() == ["Müller"]
    assert spaced("在Oban的猫").split() == ["在", "Oban", "的猫"]
    stemmer = Stemmer("en")
    assert stemmer.terms(["Running dogs", "", "a dog ran"]) == [["run", "dog"], [], ["a", "dog", "ran"]]
    assert stemmer.terms(["cats"]) == [["cat"]]
    stemmer.close()


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_only_its_owner_may_read_it(book, tmp_path):
    index(book, tmp_path).close()
    file = tmp_path / "index" / "book.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [path.name for path in file.parent.iterdir()] == ["book.db"]  # nothing is left beside it


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "other"])
def test_a_damaged_index_is_named(book, tmp_path, damage):
    index(book, tmp_path).close()
    file = tmp_path / "index" / "book.db"
    data = file.read_bytes()
    file.write_bytes(
        {
            "cut": data[: len(data) // 2],
            "noise": data[:4096] + os.urandom(len(data) - 4096),
            "empty": b"",
            "other": b"a shopping list",
        }[damage]
    )
    with pytest.raises(LongreadError, match=r"book\.db"), Passages.open(file) as passages:
        passages.search("lighthouse captain clerk", 100)
        passages.within(0, 1 << 40)
        passages.rarity(["captain"])


def test_of_what_is_no_number_it_says_that_the_index_is_damaged(book, tmp_path):
    index(book, tmp_path).close()
    file = tmp_path / "index" / "book.db"
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("UPDATE meta SET value = 'many' WHERE name = 'count'")
    with pytest.raises(LongreadError, match="damaged"):
        Passages.open(file)


def test_a_fault_of_the_program_is_not_called_damage(book, tmp_path, monkeypatch):
    monkeypatch.setattr(passages, "lone", lambda term: len(None))
    with index(book, tmp_path) as found, pytest.raises(TypeError):
        found.has("captain")


@pytest.mark.parametrize("question", ["Who is the captain \u0301?", "\u0301", "\u200d \u0303"])
def test_an_accent_that_stands_alone_is_no_term(book, tmp_path, question):
    with index(book, tmp_path) as found:
        assert all(found.question_terms(question)) and all(found.terms([question])[0])
        assert bool(found.search(question, 3)) == ("captain" in question)
        assert found.rarity(found.question_terms(question)).keys() == {*found.question_terms(question)}


def test_what_cannot_be_written_leaves_nothing_behind(book, tmp_path):
    (tmp_path / "index").write_text("a file where the folder should be")
    with pytest.raises(LongreadError, match="cannot be written"):
        index(book, tmp_path)
    with pytest.raises(LongreadError, match="no index"):
        Passages.open(tmp_path / "nowhere.db")


def test_what_a_killed_process_left_of_an_index_is_found_and_goes(book, tmp_path):
    """It holds the text, and its name begins with a dot."""
    (tmp_path / "index").mkdir()
    left = tmp_path / "index" / ".book.db.1.tmp"
    for path in (left, left.with_name(left.name + "-wal")):
        path.write_text("the book", encoding="utf-8")
    index(book, tmp_path).close()
    assert left.exists(), "another process may be writing it"
    for path in (left, left.with_name(left.name + "-wal")):
        os.utime(path, (0, 0))
    index(book, tmp_path).close()
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["book.db"]
    folder, sha = passages.index_folder(), "ab" * 32
    folder.mkdir(parents=True)
    (folder / f".{sha}-en-1.db.77.tmp").write_text("the book", encoding="utf-8")
    assert passages.indexed() == {sha}
    passages.drop(sha)
    assert not passages.indexed() and not list(folder.iterdir())


def test_a_text_that_fails_midway_leaves_the_old_index(book, tmp_path, monkeypatch):
    index(book, tmp_path).close()
    before = (tmp_path / "index" / "book.db").read_bytes()
    book.write_text(BOOK.replace("Lisbon", "Madrid"), encoding="utf-8")
    with open_document(str(book)) as document:
        real = document.source.pieces

        def broken():
            yield next(iter(real()))[:2000]
            raise OSError(5, "the disk went away")

        monkeypatch.setattr(document.source, "pieces", broken, raising=False)
        with pytest.raises(LongreadError, match="the disk went away"):
            Passages.build(tmp_path / "index" / "book.db", document)
    assert (tmp_path / "index" / "book.db").read_bytes() == before
    assert len([*(tmp_path / "index").iterdir()]) == 1
