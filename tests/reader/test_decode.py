"""Decoding piece by piece: equal to decoding at once, and honest about damage."""

from __future__ import annotations

import random
from encodings.aliases import aliases

import pytest

from longread.errors import InputError, UsageError
from longread.reader import files, open_document
from longread.reader.charset import Charset, detect, named, usual
from longread.reader.files import DiskFile

RUSSIAN = "Он сказал, что это был не он и что она его не знает. Всё было так, как он и думал.\n"
GERMAN = "Er sagte, daß es nicht für ihn sei, und die Tür schloß sich über der schönen Öffnung.\n"
CHINESE = "这个时候他们说，我们还没有看见那个地方，为什么要回来呢？\n"
TRADITIONAL = "這個時候他們說，我們還沒有看見那個地方，為什麼要回來呢？\n"
ENGLISH = "“Don’t go,” he said — and that was all of it. She was not in the house, and it was late…\n"
QUOTED = "“Come here,” he said to her. “You have the whole of it, and that was not what he had.”\n"
FRENCH = (
    "« Où étiez-vous ? » dit-elle à l’élève qui n’était pas là. À bientôt, Émile, et pas dans la leçon.\n"
)
SPANISH = "—¿Qué quieres? —dijo el niño, y no había más que la mañana. ¡Ah! Él lo sabía muy bien.\n"
JAPANESE = "私はその人を常に先生と呼んでいた。だからここでもただ先生と書くだけで本名は打ち明けない。\n"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "gb18030"])
def test_line_ends_and_characters_across_chunks(tmp_path, monkeypatch, size, codec):
    monkeypatch.setattr(files, "CHUNK", size)
    pieces = ["a", "é", "漢", "𠀀", "\n", "\r", "\r\n", "\r\r", " "]
    raw = "x" + "".join(random.Random(size).choices(pieces, k=300))
    path = tmp_path / "a.txt"
    path.write_bytes(raw.encode(codec))
    with open_document(path, encoding=codec) as document:
        assert "".join(document.text()) == raw.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (RUSSIAN, "cp866", "cp866"),
        (GERMAN, "cp1252", "windows-1252"),
        *((text, "cp1252", "windows-1252") for text in (ENGLISH, QUOTED, FRENCH, SPANISH)),
        *((text, "mac_roman", "mac-roman") for text in (ENGLISH, QUOTED, GERMAN, FRENCH, SPANISH)),
        *((text.replace("\n", "\r"), "mac_roman", "mac-roman") for text in (ENGLISH, FRENCH)),
        (CHINESE, "gb18030", "gb18030"),
        (TRADITIONAL, "big5", "big5"),
        (JAPANESE, "shift_jis", "shift_jis"),
        (JAPANESE, "iso2022_jp", "iso2022_jp"),
        ("Plain words, red: \x1b[31m and \x1b$9, \x1b$B.\n", "ascii", "utf-8"),
        (CHINESE, "utf-8", "utf-8"),
        (JAPANESE + "Some words.\n", "utf-16-le", "utf-16-le"),
        ("Plain words.\n", "utf-16-be", "utf-16-be"),
        ("In the year 2000 there were 100 of them.\n", "utf-16-be", "utf-16-be"),
        ("　他在2000年来。", "utf-16-le", "utf-16-le"),
    ],
)
def test_detection(tmp_path, text, codec, name):
    path = tmp_path / "a.txt"
    path.write_bytes((text * 40).encode(codec))
    found = detect(DiskFile(path))
    assert found.name == name
    assert (text * 40).encode(codec).decode(found.codec) == text * 40


def test_detection_without_line_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes((CHINESE.strip() * 20_000).encode("gb18030"))
    assert detect(DiskFile(path)).name == "gb18030"


@pytest.mark.parametrize("line", [CHINESE.strip() * 9000, CHINESE * 90])
def test_detection_below_lines_of_ascii(tmp_path, line):
    path = tmp_path / "a.txt"
    path.write_bytes(b"Title: x\nAuthor: y\n\n" * 200 + line.encode("gb18030"))
    assert detect(DiskFile(path)).name == "gb18030"


def test_one_accent_far_into_a_plain_book_is_seen(tmp_path):
    path = tmp_path / "a.txt"
    plain = b"The house was old and the garden was large, and he had it all to himself.\n" * 9000
    path.write_bytes(plain + "They met at the café in the evening.\n".encode("cp1252") + plain)
    with open_document(path) as document:
        assert document.encoding == "windows-1252"
        assert "café" in "".join(document.text())
        assert not document.notes


def test_a_few_bad_bytes_are_replaced_counted_and_placed(tmp_path):
    good = (CHINESE * 4000).encode()
    at = (len(good) // 3 // 84) * 84  # at a line's beginning
    at = good.rfind(b"\n", 0, at) + 1
    path = tmp_path / "a.txt"
    path.write_bytes(good[:at] + b"\xff" + good[at:] + b"\xfe\n")
    with open_document(path) as document:
        text = "".join(document.text())
        assert document.encoding == "utf-8"
        assert text.count("\ufffd") == 2
        assert text.replace("\ufffd", "") == CHINESE * 4000 + "\n"
        assert "2 characters" in document.notes[0] and f"{at:,}" in document.notes[0]


def test_replacement_characters_of_the_file_itself_are_no_damage(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(("lost: \ufffd\n" * 100).encode())
    with open_document(path) as document:
        assert document.notes == ()


@pytest.mark.parametrize("codec", ["gb18030", "big5", "shift_jis"])
def test_the_place_of_damage_in_double_byte_text(tmp_path, monkeypatch, codec):
    monkeypatch.setattr(files, "CHUNK", 4097)
    text = {"gb18030": CHINESE, "big5": TRADITIONAL, "shift_jis": JAPANESE}[codec] * 3000
    good = text.encode(codec)
    at = good.find(b"\n", 20_000) + 1
    path = tmp_path / "a.txt"
    wrong = b"\xfc" if codec == "shift_jis" else b"\xff"  # what is read as cp932 holds a character at ff
    path.write_bytes(good[:at] + wrong + good[at:])
    with open_document(path, encoding=codec) as document:
        assert f"byte {at:,}" in document.notes[0]
        assert "".join(document.text()).replace("\ufffd", "") == text


def test_the_wrong_encoding_is_an_error_with_a_place(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes((RUSSIAN * 100).encode("cp1251"))
    with pytest.raises(InputError, match=r"not utf-8.*byte 0") as caught:
        open_document(path, encoding="utf-8")
    assert "--encoding" in caught.value.hint


@pytest.mark.parametrize(
    ("asked", "name", "codec"),
    [
        ("gb2312", "gb18030", "gb18030"),
        ("gbk", "gb18030", "gb18030"),
        ("Shift-JIS", "shift_jis", "cp932"),
        ("cp932", "shift_jis", "cp932"),
        ("euc-kr", "euc-kr", "cp949"),
        ("big5", "big5", "big5hkscs"),
        ("cp950", "cp950", "cp950"),
        ("johab", "johab", "johab"),
        ("latin-1", "iso-8859-1", "iso8859-1"),
        ("ascii", "ascii", "ascii"),
        ("utf-8-sig", "utf-8-sig", "utf-8"),
    ],
)
def test_what_is_named_is_read_widely_and_the_name_leads_back(asked, name, codec):
    assert named(asked) == Charset(name, codec)
    assert named(name) == Charset(name, codec)


@pytest.mark.parametrize("asked", sorted(set(aliases.values())))
def test_every_reported_name_means_the_codec_that_was_used(asked):
    try:
        chosen = named(asked)
    except UsageError:  # rot13 and the like
        return
    assert named(chosen.name) == chosen


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("cp1251", "windows-1251"),
        ("gbk", "gb18030"),
        ("utf_8", "utf-8"),
        ("koi8_r", "koi8-r"),
        ("latin_1", "iso-8859-1"),
    ],
)
def test_usual_names(codec, name):
    assert usual(codec) == name
