"""A translation as txt, md, tsv and tmx, whole and in part, whatever stands in it."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from importlib import resources
from typing import Any

import docx
import pytest

from longread.errors import UnsupportedError
from longread.reader import open_document
from longread.tasks.translate import outputs
from longread.tasks.translate.corrections import read_corrections
from longread.tasks.translate.segments import Paragraph, Segment, Translation, cut
from tests.tasks.translating import Dictionary, done, job_of, run

SAMPLES = resources.files("longread.samples")
HOSTILE = '<script>&amp;\x1b[2J ]]> "quoted" \u202e ../../etc\tone\ntwo {title} **x**'


def made(*segments: Segment, prefixes=(), **more) -> Translation:
    paragraphs = {}
    for segment in segments:
        at = segment.paragraph
        prefix = dict(prefixes).get(at, "")
        paragraphs[at] = Paragraph(at, at * 10, at * 10 + 9, prefix=prefix)
    values = {"src": "zh", "tgt": "en", "path": "a.txt", "document": {}} | more
    return Translation(segments, {}, paragraphs, **values)


PLAIN = made(
    Segment(0, "标题", "Title", True, ""),
    Segment(1, "一。", "One.", True, ""),
    Segment(1, "二。", "二。", False, "was empty"),
    Segment(4, "三。", "Three.", True, ""),
)


def text(kind: str, translation: Translation, layout: str = "target") -> Any:
    pieces = outputs.writer(kind).write(translation, layout)
    return b"".join(pieces) if outputs.writer(kind).BINARY else "".join(pieces)


def test_paragraphs_and_pairs_as_text():
    assert text("txt", PLAIN) == "Title\n\nOne. [untranslated] 二。\n\nThree.\n"
    assert text("txt", PLAIN, "bilingual") == (
        "标题\nTitle\n\n一。\nOne.\n\n二。\n[untranslated] 二。\n\n三。\nThree.\n"
    )
    chinese = made(
        Segment(0, "One.", "一。", True, ""), Segment(0, "Two.", "二。", True, ""), src="en", tgt="zh"
    )
    assert text("txt", chinese) == "一。二。\n"


def test_markdown_keeps_headings_and_lists():
    marked = made(
        *PLAIN.segments, Segment(5, "四。", "Four.", True, ""), prefixes={0: "## ", 4: "- ", 5: "- "}
    )
    assert text("md", marked) == "## Title\n\nOne. [untranslated] 二。\n\n- Three.\n- Four.\n"
    assert text("md", PLAIN, "bilingual").startswith("标题  \nTitle\n\n一。  \nOne.\n")


def test_markdown_is_cut_at_its_own_marks(tmp_path):
    path = tmp_path / "a.md"
    path.write_text(
        "# 老陈\n\n- 王小明在河边。\n- 老陈在市场。\n  今天。\n\n> 王小明看见船。\n", encoding="utf-8"
    )
    with job_of(path) as job:
        paragraphs, pieces = cut(job.document, 0, job.end, "zh")
        whole = "".join(job.document.text())
    assert [p.prefix for p in paragraphs.values()] == ["# ", "- ", "- ", "> "]
    assert [piece.source for piece in pieces] == [
        "老陈",
        "王小明在河边。",
        "老陈在市场。",
        "今天。",
        "王小明看见船。",
    ]
    for paragraph in paragraphs.values():
        assert whole[paragraph.start : paragraph.end].startswith(paragraph.prefix)


def test_the_table_of_pairs_is_read_again_as_corrections(loaded, tmp_path):
    source = tmp_path / "a.txt"
    source.write_text("王小明在河边。老陈在市场。\n\n王小明在河边。\n", encoding="utf-8")
    hand = Dictionary(loaded.encoder, lambda asked: "no" * 40 if "老陈" in asked.source else None)
    result = done(run(loaded, source, hand)).result
    table = tmp_path / "pairs.tsv"
    table.write_text(
        text("tsv", result).replace("0\t王小明在河边。\tWang", "0\t王小明在河边。\tMaster Wang"), "utf-8"
    )
    lines = table.read_text("utf-8").splitlines()
    assert lines[2] == "0\t老陈在市场。\t老陈在市场。\tno\twent in circles"
    found = read_corrections(str(table))
    again = Dictionary(loaded.encoder)
    events = run(loaded, source, again, wish={"corrections": found})
    targets = [segment.target for segment in done(events).result.segments]
    assert targets[0].startswith("Master Wang") and targets[2].startswith("Wang")


def test_tmx_is_xml_with_what_passed():
    hostile = made(Segment(0, HOSTILE, HOSTILE[::-1], True, ""), *PLAIN.segments[1:], tgt='e"n&')
    root = ElementTree.fromstring(text("tmx", hostile))
    units = root.findall("./body/tu")
    assert len(units) == 3 and root.find("header").get("srclang") == "zh"
    code = "{http://www.w3.org/XML/1998/namespace}lang"
    assert [v.get(code) for v in units[0]] == [None, "zh", 'e"n&']
    assert [v.findtext("seg") for v in units[1].findall("tuv")] == ["一。", "One."]
    assert units[0].find("tuv").findtext("seg") == HOSTILE.replace("\x1b", "")


@pytest.mark.parametrize("kind", outputs.WRITERS)
@pytest.mark.parametrize("layout", outputs.LAYOUTS)
def test_any_part_of_a_translation_is_a_valid_file(kind, layout):
    hostile = Segment(1, HOSTILE, HOSTILE, False, HOSTILE)
    for segments in ((), PLAIN.segments[:2], (*PLAIN.segments[:2], hostile)):
        written = text(kind, made(*segments), layout)
        if kind == "tmx":
            ElementTree.fromstring(written)
        if kind == "html":
            ElementTree.fromstring(written)
        if kind == "docx":
            docx.Document(io.BytesIO(written))
        if kind == "epub":
            with zipfile.ZipFile(io.BytesIO(written)) as archive:
                assert archive.namelist()[0] == "mimetype" and archive.testzip() is None
                for name in archive.namelist():
                    if name.endswith((".xhtml", ".xml", ".opf", ".ncx")):
                        ElementTree.fromstring(archive.read(name))
        if kind == "tsv":
            assert {line.count("\t") for line in written.split("\n")[:-1]} == {4}


@pytest.mark.parametrize("layout", outputs.LAYOUTS)
def test_the_story_as_a_new_epub_is_read_again(layout, tmp_path):
    """Its own translation put in by paragraphs; another reader than the one that wrote it opens it."""
    with open_document("sample:zh") as document:
        passages = list(document.passages())
        told = document.as_dict()
    english = (SAMPLES / "the_piano_zh_in_english.txt").read_text(encoding="utf-8").strip().split("\n\n")
    assert len(english) == len(passages)
    segments = tuple(
        Segment(at, passage.text, " ".join(words.split()), True, "")
        for at, (passage, words) in enumerate(zip(passages, english, strict=True))
    )
    paragraphs = {at: Paragraph(at, p.start, p.end, p.heading, p.chapter) for at, p in enumerate(passages)}
    translation = Translation(segments, {}, paragraphs, "sample:zh", told, "zh-Hans", "en")
    path = tmp_path / "piano.epub"
    path.write_bytes(text("epub", translation, layout))
    assert path.read_bytes() == text("epub", translation, layout)
    with open_document(str(path)) as book:
        assert (book.format, book.language) == ("epub", "en") or layout == "bilingual"
        assert len(book.chapters) >= 7
        found = "".join(book.text())
    for segment in segments:
        assert segment.target in found and (segment.source in found) == (layout == "bilingual")


@pytest.mark.parametrize("kind", ["epub", "html", "docx"])
def test_what_came_through_a_pipe_is_made_anew(kind, tmp_path):
    piped = made(*PLAIN.segments, path="-", document={"format": kind, "title": "标题"})
    path = tmp_path / f"out.{kind}"
    path.write_bytes(text(kind, piped))
    with open_document(str(path)) as document:
        assert [passage.text for passage in document.passages()][-1] == "Three."


def test_the_ending_chooses_the_format():
    assert outputs.kind_of("a.TXT") == "txt" and outputs.kind_of("book.en.markdown") == "md"
    assert outputs.kind_of("book", "md") == "md" and outputs.kind_of("book", "pdf") == "txt"
    with pytest.raises(UnsupportedError) as error:
        outputs.kind_of("a.xlsx")
    assert ".tsv" in error.value.hint
