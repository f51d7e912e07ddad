"""Opening documents: every encoding and every way in which a file is no text."""

from __future__ import annotations

import hashlib
import io
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from longread.errors import InputError, UnsupportedError, UsageError
from longread.reader import open_document
from longread.reader.files import Spool

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data folder is not here")

# name, encoding as reported, Python codec of an independent decoding, language, chapters, a chapter's title
BOOKS = [
    ("formats/oblomov_cp1251.txt", "windows-1251", "cp1251", "ru", 45, "ЧАСТЬ ПЕРВАЯ · I"),
    ("formats/oblomov_koi8r.txt", "koi8-r", "koi8-r", "ru", 45, "ЧАСТЬ ПЕРВАЯ · I"),
    (
        "formats/rulinwaishi_big5.txt",
        "big5",
        "big5",
        "zh-Hant",
        47,
        "第十二回 名士大宴鶯脰腹溯俠客虛設人頭會",
    ),
    ("formats/untertan_cp1252.txt", "windows-1252", "cp1252", "de", 6, "II"),
    (
        "formats/xiyouji_gb18030.txt",
        "gb18030",
        "gb18030",
        "zh-Hans",
        101,
        "第二回 悟彻菩提真妙理 断魔归本合元神",
    ),
    ("formats/xiyouji_utf16le_bom.txt", "utf-16-le", "utf-16", "zh-Hans", 101, "第一百回 径回东土 五圣成真"),
    (
        "formats/xiyouji_utf8_bom_crlf.txt",
        "utf-8-sig",
        "utf-8-sig",
        "zh-Hans",
        101,
        "第一百回 径回东土 五圣成真",
    ),
    ("books/en-long/Charles_Dickens_Bleak_House.txt", "utf-8", "utf-8", "en", 67, "CHAPTER II - In Fashion"),
    (
        "books/en-long/Leo_Tolstoy_War_and_Peace.txt",
        "utf-8",
        "utf-8",
        "en",
        365,
        "BOOK ONE: 1805 · CHAPTER I",
    ),
    ("books/en-long/Victor_Hugo_Les_Miserables.txt", "utf-8", "utf-8", "en", 365, "CHAPTER VII--CRAVATTE"),
    ("books/other/FathersAndSons.txt", "utf-8", "utf-8", "ru", 28, "XXVIII"),
    ("books/other/de-verne-20000.txt", "utf-8", "utf-8", "de", 47, "Dreiundzwanzigstes Capitel: Schluß"),
    ("books/other/fr-Verne-2ans.txt", "utf-8", "utf-8", "fr", 30, "CHAPITRE PREMIER. DEUX ANS DE VACANCES"),
    ("books/other/natsume_soseki_吾輩は猫である.txt", "utf-8", "utf-8", "ja", 11, "十一"),
    ("books/zh/老殘遊記.txt", "utf-8", "utf-8", "zh-Hant", 20, "第一回 土不制水歷年成患風能鼓浪到處可危"),
]


NOISE = b"".join(hashlib.sha256(bytes([value])).digest() for value in range(256))


@needs_data
@pytest.mark.parametrize(("name", "encoding", "codec", "language", "chapters", "title"), BOOKS)
def test_books_as_they_are(name, encoding, codec, language, chapters, title):
    with open_document(DATA / name) as document:
        whole = (DATA / name).read_bytes().decode(codec).replace("\r\n", "\n").replace("\r", "\n")
        text = "".join(document.text())
        assert text == whole
        assert (document.encoding, document.language) == (encoding, language)
        assert document.characters == len(whole)
        assert document.sha256 == hashlib.sha256(whole.encode()).hexdigest()
        assert document.notes == () and document.left_out == ()
        assert len(document.chapters) == chapters
        assert title in [chapter.title for chapter in document.chapters]


@needs_data
@pytest.mark.parametrize(
    ("number", "chapters"),
    [
        (17769, 99),
        (2118, 14),
        (28345, 47),
        (349, 21),
        (3744, 30),
        (43281, 56),
        (5274, 45),
        (9799, 32),
        (36483, 89),
    ],
)
def test_english_books_with_contents_and_credits(number, chapters):
    with open_document(DATA / f"books/en/{number}.txt") as document:
        assert len(document.chapters) == chapters
        text = "".join(document.text())
        assert "Project Gutenberg" not in text[:300] + text[-300:]
        assert any("credits" in what for what in document.left_out)


@needs_data
def test_aozora_readings_are_left_out_and_said_so():
    with open_document(DATA / "formats/wagahai_neko_shiftjis_ruby.txt") as document:
        text = "".join(document.text())
        assert document.encoding == "shift_jis"
        assert len(document.chapters) == 11
        assert "《" not in text and "［＃" not in text
        assert "吾輩は猫である。名前はまだ無い。" in text
        assert "Aozora" in document.left_out[0]


def test_the_bundled_book_opens_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample:en").mkdir()
    with open_document("sample:en") as document:
        assert document.title == "The Mud Book"
        assert document.language == "en"
        assert len(document.chapters) >= 12


def test_a_bundled_book_that_is_not_there_is_said_so():
    with pytest.raises(InputError, match="sample:tlh") as caught:
        open_document("sample:tlh")
    assert "sample:en" in caught.value.hint


@pytest.mark.parametrize("text", ["x", "ab", "一", "Hi.\n", "a\x00b\x1b[0m" + "plain text " * 900])
def test_tiny_and_odd_texts_are_kept_as_they_are(tmp_path, text):
    path = tmp_path / "tiny.txt"
    path.write_bytes(text.encode())
    with open_document(path) as document:
        assert "".join(document.text()) == text
        assert document.characters == len(text)


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("empty.txt", b"", InputError, "empty"),
        ("blank.txt", b" \n\t\n\n", InputError, "white space"),
        ("bom.txt", b"\xef\xbb\xbf", InputError, "white space"),
        (
            "book.epub",
            b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/epub+zip" + bytes(99),
            InputError,
            "damaged EPUB",
        ),
        (
            "book.docx",
            b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml" + bytes(99),
            InputError,
            "damaged DOCX",
        ),
        ("claims.txt", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(99), InputError, "damaged PDF"),
        ("book.txt.gz", b"\x1f\x8b\x08\x00" + bytes(99), InputError, "gzip data"),
        ("book.rtf", b"{\\rtf1 " + bytes(99), UnsupportedError, "RTF"),
        ("song.txt", b"ID3\x04\x00\x00\x00" + bytes(range(256)) * 20, InputError, "MP3"),
        ("tool.md", b"\x7fELF\x02\x01\x01" + bytes(99), InputError, "program"),
        ("photo.txt", b"\xff\xd8\xff\xe0" + bytes(99), InputError, "JPEG"),
        ("noise.txt", NOISE, InputError, "binary"),
        ("zeros.txt", bytes(5000), InputError, "binary"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_what_is_no_text_is_one_clear_error(tmp_path, name, content, error, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error, match=words) as caught:
        open_document(path)
    assert type(caught.value) is error
    assert name in caught.value.message and caught.value.hint


def test_a_folder_shows_a_pattern(tmp_path):
    (tmp_path / "a.md").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="folder") as caught:
        open_document(str(tmp_path))
    assert f"{shlex.quote(str(tmp_path))}/*.md" in caught.value.hint


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "Middlemarch.txt").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="no file") as caught:
        open_document(tmp_path / "midlemarch.txt")
    assert "Middlemarch.txt" in caught.value.hint
    with pytest.raises(InputError, match="no file"):
        open_document(tmp_path / "nowhere" / "a.txt")


@pytest.mark.skipif(os.name == "nt", reason="POSIX special files")
def test_special_files_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a pipe"):
        open_document(tmp_path / "pipe")
    with pytest.raises(InputError, match="device"):
        open_document("/dev/null")


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read all"
)
def test_no_permission(tmp_path):
    path = tmp_path / "secret.txt"
    path.write_text("x", encoding="utf-8")
    path.chmod(0)
    with pytest.raises(InputError, match="permission"):
        open_document(path)


def test_an_unknown_encoding_names_near_ones(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="utf-9") as caught:
        open_document(path, encoding="utf-9")
    assert "utf-8" in caught.value.hint
    with pytest.raises(UsageError):
        open_document(path, encoding="zlib_codec")


def test_encoding_overrules_detection(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("Привет, это был он и она.\n".encode("cp866") * 50)
    with open_document(path, encoding="CP866") as document:
        assert document.encoding == "cp866"
        assert "".join(document.text()).startswith("Привет")


def test_standard_input_is_kept_privately(monkeypatch):
    book = ("A line of a book, with a café in it.\r\n" * 20_000).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(book)))
    with open_document("-") as document:
        assert isinstance(document.source.data, Spool)
        handle = document.source.data._file
        if os.name != "nt":
            assert stat.S_IMODE(os.fstat(handle.fileno()).st_mode) == 0o600
        first, second = document.text(), document.text()  # two readings at once do not disturb each other
        mixed = [next(first), next(second), next(first)]
        assert mixed[0] == mixed[1]
        assert mixed[0] + mixed[2] + "".join(first) == book.decode().replace("\r\n", "\n")
    assert handle.closed


def test_an_empty_pipe(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(InputError, match="pipe"):
        open_document("-")


def test_a_file_that_changes_is_noticed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one two three", encoding="utf-8")
    with open_document(path) as document:
        path.write_text("something else altogether", encoding="utf-8")
        with pytest.raises(InputError, match="changed"):
            list(document.text())


def test_nothing_heavy_is_imported():
    code = (
        "import sys, longread.reader\nprint({'torch', 'transformers', 'charset_normalizer'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment()
    )
    assert done.stdout.strip() == "set()"


def _environment() -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    return os.environ | {"PYTHONPATH": root + os.pathsep + os.environ.get("PYTHONPATH", "")}
