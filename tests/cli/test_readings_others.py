"""``longread readings`` on what is kept beside the readings: conversations, translations, indexes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from longread.cli import main
from longread.reader import open_document
from longread.store import files
from longread.store.passages import Passages, index_folder
from longread.tasks.chat import transcript
from longread.tasks.chat.transcript import Transcript, Turn
from longread.tasks.translate.journal import kept as journal
from longread.tasks.translate.segments import Segment
from tests.kept import keep

posix = pytest.mark.skipif(os.name == "nt", reason="links of POSIX")


@pytest.fixture
def call(capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        return main(["readings", *map(str, arguments)]), *capsys.readouterr()

    return run


def chat(title: str = "A Novel") -> Path:
    log = Transcript("pocket", "/books/novel.txt", {"title": title, "sha256": "ab"})
    log.add(Turn("ask", "Who?", "Obed"))
    return log.path


def translation(name: str = "story.txt") -> Path:
    with journal({"text": "ab", "pair": ["zh", "en"]}, name) as found:
        found.add(0, Segment(0, "他走了。", "He left.", True, ""))
    return found.folder


def index(tmp_path, title: str = "Indexed") -> Path:
    text = tmp_path / f"{title}.md"
    text.write_text(f"# {title}\n\nThe miller asked people in Arley about the lantern.\n", encoding="utf-8")
    with open_document(str(text)) as document:
        path = index_folder() / f"{document.sha256}-en-1.db"
        with Passages.build(path, document):
            return path


def test_the_list_has_a_group_for_each_kind(call, tmp_path):
    made, talk, work, words = keep(), chat(), translation(), index(tmp_path)
    code, out, err = call("list")
    groups = out.split("\n\n")
    assert (code, err, len(groups)) == (0, "", 4)
    assert made.id[:8] in groups[0] and groups[1].startswith("Conversations: longread chat --resume ID")
    assert f"A Novel  {talk.stem}" in groups[1] and "pocket" in groups[1]  # whole: --resume takes it
    assert transcript.find(talk.stem) == talk
    assert groups[2].startswith("Translations") and work.name[:8] in groups[2] and "zh to en" in groups[2]
    assert groups[3].startswith("Indexes") and words.name[:8] in groups[3] and "Indexed" in groups[3]


def test_without_readings_the_others_are_listed_all_the_same(call):
    talk = chat()
    out = call("list")[1]
    assert out.startswith("no readings are kept\n\nConversations") and talk.stem in out


def test_json_has_keys_of_its_own_for_them(call, tmp_path):
    made, talk, work, words = keep(), chat(), translation(), index(tmp_path)
    answer = json.loads(call("list", "--json")[1])
    assert [one["id"] for one in answer["readings"]] == [made.id]
    (spoken,), (translated,), (indexed,) = answer["chats"], answer["translations"], answer["indexes"]
    assert (spoken["id"], spoken["path"], spoken["title"]) == (talk.stem, str(talk), "A Novel")
    assert (spoken["file"], spoken["model"], spoken["bytes"]) == (
        "/books/novel.txt",
        "pocket",
        talk.stat().st_size,
    )
    assert (translated["id"], translated["file"], translated["languages"]) == (
        work.name,
        "story.txt",
        ["zh", "en"],
    )
    assert translated["bytes"] == files.size(work) and translated["updated"].endswith("+00:00")
    assert (indexed["id"], indexed["title"]) == (words.name[:64], "Indexed")


def test_rm_drops_what_is_named_by_the_start_of_its_id(call, tmp_path):
    made, talk, other, work, words = keep(), chat(), chat("Another"), translation(), index(tmp_path)
    code, out, _ = call("rm", talk.stem, work.name[:8], words.name[:8], made.id[:8])
    assert code == 0 and [line.split(" (")[0] for line in out.splitlines()] == [
        "deleted The Mud Book",
        "deleted the conversation A Novel",
        "deleted the translation story.txt",
        "deleted the index Indexed",
    ]
    assert not any(path.exists() for path in (talk, work, words, made.folder)) and other.exists()


def test_rm_by_a_title_or_a_name_that_is_not_clear_drops_nothing(call):
    one, two, work = chat(), chat(), translation()
    made = keep("Book", name=work.name[:8])  # a file that is called like a translation
    assert call("rm", "A Novel")[0] == 2  # a title names a reading only
    code, _, err = call("rm", one.stem[:4])  # of the same year
    assert code == 2 and one.stem in err and two.stem in err
    code, _, err = call("rm", work.name[:8])
    assert code == 2 and made.id in err and work.name in err
    assert call("rm", one.stem[:3])[0] == 2 and call("rm", one.stem, "nothing")[0] == 2
    assert all(path.exists() for path in (one, two, work, made.folder))


def test_all_and_older_than_leave_conversations_and_translations(call, tmp_path):
    made, talk, work, words = keep(), chat(), translation(), index(tmp_path)
    assert call("rm", "--older-than", "1h", "--yes")[0] == 0 and not made.folder.exists()
    assert words.exists()
    assert call("rm", "--all", "--yes")[0] == 0 and not words.exists()
    assert talk.exists() and work.exists()


def test_a_translation_under_way_stays(call):
    talk = chat()
    with journal({"text": "ab"}, "story.txt") as found:
        code, out, err = call("rm", talk.stem, found.folder.name)
        assert code == 3 and "another longread is translating story.txt" in err and "deleted" in out
    assert found.folder.exists() and not talk.exists()
    assert call("rm", found.folder.name)[0] == 0


@posix
def test_links_are_neither_listed_nor_followed(call, home, tmp_path):
    outside = tmp_path / "outside"
    work = translation()
    for place in (outside / "0123456789abcdef", outside / "chats"):
        place.mkdir(parents=True)
        (place / "precious").write_text("x")
    (outside / "20260101-000000-abcd.jsonl").write_text('{"schema": 1}\n')
    digest = hashlib.sha256().hexdigest()
    (outside / f"{digest}-en-1.db").write_text("x")
    (home / "translations" / "0123456789abcdef").symlink_to(outside / "0123456789abcdef")
    (home / "chats").mkdir()
    (home / "chats" / "20260101-000000-abcd.jsonl").symlink_to(outside / "20260101-000000-abcd.jsonl")
    (home / "cache").mkdir(exist_ok=True)
    (home / "cache" / "passages").symlink_to(outside)  # a whole folder that lies elsewhere
    (work / "link").symlink_to(outside)
    answer = json.loads(call("list", "--json")[1])
    assert (answer["chats"], answer["indexes"]) == ([], [])
    assert [one["id"] for one in answer["translations"]] == [work.name]
    for name in ("0123456789abcdef", "20260101-000000-abcd", digest):
        assert call("rm", name)[0] == 2
    assert call("rm", work.name)[0] == 0 and call("rm", "--all", "--yes")[0] == 0
    assert len([path for path in outside.rglob("*") if path.is_file()]) == 4 and not work.exists()


def test_what_is_damaged_is_listed_and_can_be_dropped(call, home):
    folder = home / "translations" / "fedcba9876543210"
    folder.mkdir(parents=True)
    (folder / "key.json").write_text('{"pair": [1, 2], "name": {"a": "\\u001b[31m"}}')
    spoken = home / "chats" / "20260101-000000-abcd.jsonl"
    spoken.parent.mkdir()
    spoken.write_bytes(b'{"document": 3, "source": [], "model": "\\u001b[31mred"}\n')
    words = home / "cache" / "passages" / f"{'a1' * 32}-en-1.db"
    words.parent.mkdir(parents=True)
    words.write_bytes(b"oops")
    code, out, err = call("list")
    assert (code, err) == (0, "") and "\x1b" not in out and out.count("untitled") == 3
    assert call("rm", "fedcba98", spoken.stem, "a1a1a1a1")[0] == 0
    assert not (folder.exists() or spoken.exists() or words.exists())


def test_a_conversation_that_is_dropped_while_it_goes_on_begins_a_new_file(call):
    log = Transcript("pocket", "", {"title": "A Novel"})
    log.add(Turn("ask", "Who?", "Obed"))
    first = log.path
    assert call("rm", first.stem)[0] == 0
    log.use("another")
    assert not first.exists()  # nothing is left without the line that says what it is
    assert log.add(Turn("ask", "Where?", "Arley")) and log.path.exists()
    again = transcript.load(log.path)
    assert [turn.said for turn in again.turns] == ["Where?"] and again.model == "another"
