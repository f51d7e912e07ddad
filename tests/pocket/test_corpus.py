"""What is learned from: cleaned, wrapped, kept apart, encoded into rows, on a corpus made here."""

from __future__ import annotations

import csv
import io
import json
import random
import tarfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from longread.model.chat import Chat, Message
from longread.model.tokens import load_encoder
from longread.pocket.train import corpus, data, export, talk, tokenizer

SHARED = Path(__file__).parents[3] / "shared"


def archive(place: Path, files: dict[str, str]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(place, f"w:{place.suffix[1:]}") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))


def table(*rows: dict[str, str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def question(section: str, words: str, *answers: str) -> dict[str, str]:
    given = {f"answer{n}": answers[n - 1] if n <= len(answers) else "" for n in range(1, 7)}
    return {"cor_section": section, "question": words, **given}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A corpus of three books, four pairs and two tales, laid out as the real one."""
    folder = tmp_path_factory.mktemp("corpus")
    chance = random.Random(5)
    words = [
        chance.choice("bdfgklmnprst") + chance.choice("aeiou") + chance.choice("lmnrst") for _ in range(300)
    ]
    prose = lambda count: " ".join(chance.choice(words) for _ in range(count)) + "."  # noqa: E731
    books = {
        f"en/A{n}/Book {n}.md": f"# Title: Book {n}\n\n-------\n## CHAPTER I - THE OLD ROAD\r\n\r\n"
        + "\r\n\r\n".join(prose(90) for _ in range(20))
        for n in range(2)
    }
    archive(folder / "train" / "en.tar.bz2", books)
    archive(folder / "train" / "zh.tar.bz2", {"zh/书.txt": "话说天下大势，分久必合，合久必分。\n" * 400})
    pairs = ["I see.\t我明白。", "I see!\t我知道了。", "Go.\t去吧。", "Come in.\t进来吧。", "Stop.\t我明白"]
    (folder / "qa").mkdir()
    (folder / "qa" / "tatoeba_en_zh.tsv").write_text("\n".join(pairs), encoding="utf-8")
    (folder / "held.tsv").write_text("I see\t我懂了。\nHello.\t去吧\n", encoding="utf-8")
    root = "fairytaleqa/data-by-train-split"
    tales = {}
    for split, names in (("train", "ab"), ("val", "c"), ("test", "d")):
        for name in names:
            tales[f"{root}/section-stories/{split}/{name}-story.csv"] = table(
                {"section": "1", "text": f"A fox\nlived in {name}."}, {"section": "2", "text": "It rained."}
            )
            tales[f"{root}/questions/{split}/{name}-questions.csv"] = table(
                question("1", f"Who lived in {name}?", "a fox", "the fox"), question("1, 2", "Both?", "no")
            )
    archive(folder / "qa" / "fairytaleqa.tar.xz", tales)
    return folder


@pytest.fixture(scope="module")
def vocabulary(source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    given = ["--source", str(source), "--held-out", str(source / "held.tsv"), "--out", str(folder)]
    tokenizer.main([*given, "--size", "400"])
    return folder


def test_a_pair_that_shares_a_sentence_with_a_held_one_is_left_out(source):
    kept, held = corpus.pairs(source, source / "held.tsv")
    assert kept == [("Come in.", "进来吧。"), ("Stop.", "我明白")]
    assert held == [("I see", "我懂了。"), ("Hello.", "去吧")]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
def test_no_held_out_sentence_is_among_those_learned_from():
    kept, held = corpus.pairs(SHARED / "data", SHARED / "pocket" / "held_out_translation.tsv")
    bare = lambda text: "".join(filter(str.isalnum, text)).casefold()  # noqa: E731
    for side in (0, 1):
        assert not {bare(pair[side]) for pair in kept} & {bare(pair[side]) for pair in held}
    assert len(held) == 500 and len(kept) > 30_000


def test_a_tale_has_the_questions_of_its_section_and_its_split(source):
    (tale,) = corpus.tales(source, "test")
    assert (tale.tale, tale.text) == ("d", "A fox lived in d.")
    assert tale.questions == (("Who lived in d?", ("a fox", "the fox")),)
    assert {tale.tale for tale in corpus.tales(source, "train")} == {"a", "b"}


def test_markdown_becomes_a_plain_text_file():
    text = (
        "## CHAPTER I\n\nThe “quick” fox—so they say—jumped over a dog.\n\nRoses are red,\nviolets are blue."
    )
    assert corpus.plain(text, 20, dashes=True) == (
        'CHAPTER I\n\nThe "quick" fox--so\nthey say--jumped over\na dog.\n\nRoses are red,\nviolets are blue.'
    )
    assert "“quick” fox—so" in corpus.plain(text, 70, dashes=False)
    long = "a " + "x" * 50 + " b"
    assert corpus.plain(long, 20, dashes=True) == "a\n" + "x" * 50 + "\nb"


def test_wrapping_loses_no_word():
    chance = random.Random(2)
    text = "\n\n".join(" ".join("x" * chance.randint(1, 30) for _ in range(200)) for _ in range(5))
    found = corpus.plain(text, 33, dashes=True)
    assert found.split() == text.split()
    assert max(map(len, found.split("\n"))) <= 33
    pairs = zip(found.split("\n"), found.split("\n")[1:], strict=False)
    assert all(not b or not a or len(a) + 1 + len(b.split(" ")[0]) > 33 for a, b in pairs)


def test_wrapped_chinese_is_joined_and_verse_is_not():
    text = "第一回\n\n    滚滚长江东逝水浪花淘尽英雄是非成败转头空青山依旧在\n"
    text += "    几度夕阳红。\n    一壶浊酒喜相逢。\n"
    assert corpus.joined(text).split("\n") == [
        "第一回",
        "滚滚长江东逝水浪花淘尽英雄是非成败转头空青山依旧在几度夕阳红。",
        "一壶浊酒喜相逢。",
    ]


def test_the_vocabulary_goes_through_tiktoken_and_keeps_characters_apart(vocabulary):
    encoder = load_encoder(vocabulary)
    assert encoder.kind == "tiktoken" and encoder.vocab_size == 400
    assert len(encoder.encode("话说天下")) == 4  # never two in one, however often they stand together
    text = "Naïve “quotes”\n\n\t話說 🦊 <|end|>"
    assert encoder.decode(encoder.encode(text)) == text
    assert not set(encoder.encode(text)) & set(range(5))


def test_a_conversation_is_the_one_that_the_template_writes(vocabulary, tmp_path):
    encoder = load_encoder(vocabulary)
    (tmp_path / "tokenizer.json").write_bytes((vocabulary / "tokenizer.json").read_bytes())
    (tmp_path / "chat_template.jinja").write_text(talk.TEMPLATE, encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(export.settings(1024)), encoding="utf-8")
    chat = Chat(tmp_path, encoder)
    opening, turns = talk.translation("zh"), [("Go.", "去吧。"), ("Come in.", "进来吧。")]
    found = talk.conversation(encoder.encode, opening, turns)
    (_, first), (words, _) = turns
    said = [
        Message("system", opening),
        Message("user", "Go."),
        Message("assistant", first),
        Message("user", words),
    ]
    ids = [talk.SINK, *found.ids]
    expected = chat.ids(said)
    assert ids[: len(expected)] == expected
    own = [token for token, mine in zip(found.ids, found.own, strict=True) if mine]
    assert own == [*encoder.encode("去吧。"), talk.END, *encoder.encode("进来吧。"), talk.END]
    assert chat.stop_ids == {talk.END}


def test_rows_hold_every_talk_once_and_whole():
    chance = random.Random(0)
    talks = [talk.answered([n] * chance.randint(1, 40)) for n in range(10, 60)]
    ids, marks = data.packed([*talks, talk.answered([9] * 70)], 64, open_rows=4)
    assert ids.shape[1] == 64 and not (ids == 9).any()  # what fits no row is left out
    for item in talks:
        number = item.ids[1]
        assert (ids == number).sum() == len(item.ids) - 2
    assert ((marks == 0) <= (ids == talk.END)).all()
    assert (marks == 1).sum() == len(talks) and len(ids) < len(talks)


def test_rows_of_the_whole_corpus(source, vocabulary, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "PROSE", 64)
    monkeypatch.setattr(corpus, "HELD", 2)
    given = ["--source", str(source), "--held-out", str(source / "held.tsv"), "--tokenizer", str(vocabulary)]
    for out in ("a", "b"):
        data.main([*given, "--out", str(tmp_path / out)])
    record = json.loads((tmp_path / "a" / "data.json").read_text())
    assert record == json.loads((tmp_path / "b" / "data.json").read_text())  # the same seed, the same rows
    encoder = load_encoder(vocabulary)
    rows = {name: load_file(tmp_path / "a" / f"{name}.safetensors") for name in record["sources"]}
    spoken = encoder.decode(rows["pairs"]["ids"].ravel().tolist())
    assert "进来吧。" in spoken and "我懂了" not in spoken
    learned = encoder.decode(rows["en"]["ids"].ravel().tolist())
    held = encoder.decode(rows["en-held"]["ids"].ravel().tolist())
    assert "Title:" not in learned and len(held) > 1000 and held[:200] not in learned
    marks = rows["lessons"]["marks"]
    answers = encoder.decode(rows["lessons"]["ids"][marks == 2].tolist())
    assert "The Old Road" in answers and "yes" in answers and "fox" in answers
    assert rows["en"]["ids"].dtype == np.uint16


def test_what_is_missing_is_told(tmp_path, caplog):
    with pytest.raises(SystemExit) as ended:
        tokenizer.main(["--source", str(tmp_path), "--held-out", "x", "--out", str(tmp_path / "out")])
    assert ended.value.code == 1
    assert "en.tar.bz2 cannot be read" in caplog.text and "hint: give the folder" in caplog.text
