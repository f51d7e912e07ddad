"""A translation as txt, md, tsv and tmx, whole and in part; where words stand in paragraphs of others."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
import zipfile
from importlib import resources
from typing import Any

import docx
import pytest
from docx.oxml import parse_xml
from lxml import etree

from longread.errors import UnsupportedError
from longread.reader import open_document
from longread.tasks.translate import outputs
from longread.tasks.translate.corrections import read_corrections
from longread.tasks.translate.outputs import place
from longread.tasks.translate.outputs.docx import write_docx
from longread.tasks.translate.outputs.html import write_html
from longread.tasks.translate.segments import Paragraph, Segment, Translation, cut
from tests.reader.held import paragraphs
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


def test_a_new_epub_runs_as_its_language_does():
    for tgt, side in (("he", "rtl"), ("en", "ltr")):
        with zipfile.ZipFile(io.BytesIO(text("epub", made(*PLAIN.segments, tgt=tgt)))) as archive:
            assert f'dir="{side}"' in archive.read("OEBPS/page0001.xhtml").decode()
            turned = 'page-progression-direction="rtl"' in archive.read("OEBPS/book.opf").decode()
        assert turned is (side == "rtl")


@pytest.mark.parametrize("kind", ["epub", "html", "docx"])
def test_a_title_with_what_no_file_holds_is_written(kind, tmp_path):
    path = tmp_path / f"out.{kind}"
    path.write_bytes(text(kind, made(*PLAIN.segments, document={"title": "caf\udce9 \x1b"})))
    with open_document(str(path)) as document:
        assert document.title.strip() == "caf"


def rewritten(folder, page, layout="target"):
    """The ``page`` with each of its paragraphs translated as NEW."""
    source, held = folder / "a.html", io.BytesIO()
    source.write_bytes(page.encode())
    pairs = [(words, "NEW") for words in paragraphs("html", page.encode())]
    assert write_html(source, pairs, held, layout=layout, language="de") == (len(pairs), 0, ())
    return held.getvalue().decode()


@pytest.mark.parametrize(
    ("words", "new"),
    [
        ('<span class="dropcap">T</span>he cat sat.', '<span class="dropcap"></span>NEW'),
        ("<em>Hamlet</em> is a play.", "<em></em>NEW"),
        ("<span><b>All</b> of it</span>", "<span><b></b>NEW</span>"),
        ('<a href="#x">The site</a> is <i>good</i>.', '<a href="#x">↗</a>NEW<i></i>'),
        ('See <a href="#x">the <b>site</b></a> now.', 'NEW<a href="#x">↗<b></b></a>'),
        ('<a href="#x">All of it</a>', '<a href="#x">NEW</a>'),
    ],
)
def test_words_stand_where_they_look_plain_and_links_stay(tmp_path, words, new):
    assert f"<p>{new}</p>" in rewritten(tmp_path, f"<html><body><p>{words}</p></body></html>")


def said_as(text, look=""):
    return f"<w:r><w:rPr>{look}</w:rPr><w:t xml:space='preserve'>{text}</w:t></w:r>"


def linked(*runs):
    return f"<w:hyperlink w:anchor='x'>{''.join(runs)}</w:hyperlink>"


def turned(kind):
    return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'


def coded(code):
    return f"<w:r><w:instrText xml:space='preserve'>{code}</w:instrText></w:r>"


def fielded(*runs, code=' HYPERLINK "http://example.org/" '):
    """``runs`` as what a field shows, its code before them."""
    halves = [coded(code[: len(code) // 3]), coded(code[len(code) // 3 :])]  # as Word likes to tear it
    return "".join((turned("begin"), *halves, turned("separate"), *runs, turned("end")))


FIELD = ("{*}fldChar", "{*}instrText", "{*}fldSimple")
ASIDE = said_as("a very long one of another look", "<w:i/>")


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (said_as("T", '<w:sz w:val="90"/>') + said_as("he cat sat."), ["", "NEW"]),
        (
            said_as("<![CDATA[ ]]>Well, ") + said_as("Hamlet", "<w:i/>") + said_as(" is a play"),
            ["NEW", "", ""],
        ),
        (said_as("Note: ", "<w:b/>") + said_as("this") + said_as(" is it."), ["", "NEW", ""]),
        (
            said_as("See ") + linked(said_as("the site"), said_as(" there")) + said_as(" now."),
            ["NEW", "↗", "", ""],
        ),
        (linked(said_as("The very long site")) + said_as(" is good."), ["↗", "NEW"]),
        (linked(said_as("All "), said_as("of it")), ["NEW", ""]),
        (
            said_as("See ") + fielded(said_as("the site"), said_as(" there")) + said_as(" now."),
            ["NEW", "↗", "", ""],
        ),
        (fielded(said_as("The very long site")) + said_as(" is good."), ["↗", "NEW"]),
        (fielded(said_as("All "), said_as("of it")), ["NEW", ""]),
        (fielded(ASIDE) + said_as("and ") + fielded(ASIDE, code='hyperlink"#x"'), ["↗", "NEW", "↗"]),
        # A page's number within a link is part of it; what counts pages is no link.
        (fielded(said_as("page "), fielded(said_as("7"), code="PAGEREF x")) + said_as(":"), ["↗", "", "NEW"]),
        (said_as("Page ") + fielded(said_as("7"), code=" PAGE ") + said_as(" is it."), ["NEW", "", ""]),
        # The words of a field within a code stay what they are, and so does the code.
        (
            said_as("See ")
            + fielded(said_as("this"), code="HYPERLINK ").replace(
                turned("separate"), fielded(said_as("x.html"), code="REF y") + turned("separate"), 1
            ),
            ["NEW", "x.html", "↗"],
        ),
        (
            '<w:fldSimple w:instr="HYPERLINK &quot;#x&quot;">' + ASIDE + "</w:fldSimple>" + said_as("so."),
            ["↗", "NEW"],
        ),
        ('<w:fldSimple w:instr="TITLE">' + said_as("Book") + "</w:fldSimple>", ["NEW"]),
        (said_as("a ") + '<w:r><w:sym w:font="Symbol" w:char="F061"/></w:r>' + said_as(" b"), ["NEW", ""]),
    ],
)
def test_words_stand_in_the_usual_look_of_word_and_links_stay(tmp_path, runs, said):
    word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document = docx.Document()
    document.element.body.insert_element_before(parse_xml(f"<w:p {word}>{runs}</w:p>"), "w:sectPr")
    document.save(tmp_path / "a.docx")
    with open(tmp_path / "b.docx", "wb") as file:
        pairs = [(paragraphs("docx", (tmp_path / "a.docx").read_bytes())[0], "NEW")]
        assert write_docx(tmp_path / "a.docx", pairs, file, language="de").placed == 1
    before, after = (docx.Document(str(tmp_path / name)).element.body for name in ("a.docx", "b.docx"))
    assert [node.text or "" for node in after.iter("{*}t", "{*}sym")] == said
    fields = [[(node.text, *node.attrib.values()) for node in body.iter(*FIELD)] for body in (before, after)]
    assert fields[0] == fields[1]
    with open(tmp_path / "c.docx", "wb") as file:
        write_docx(tmp_path / "a.docx", pairs, file, layout="bilingual", language="de")
    assert paragraphs("docx", (tmp_path / "c.docx").read_bytes()) == [f"{pairs[0][0]}\nNEW"]


def test_a_style_of_html_is_written_as_it_is(tmp_path):
    head = "<style>p > a{}</style><script>1 < 2 && x()</script>"
    said = rewritten(tmp_path, f"<html><head>{head}</head><body><p>One.</p></body></html>")
    assert head in said


XHTML = (
    '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><head>'
    '<meta name="a" content="b"/><meta charset="UTF-8"/><title>t</title>'
    "<style>/*<![CDATA[*/ p > a { color: red } /*]]>*/</style>"
    "<script>if (1 &lt; 2 &amp;&amp; 3) x();</script></head>"
    "<body><nav>Menu</nav><p>One<br/>two.</p><hr/><p>Three.</p></body></html>"
)


def test_a_page_of_xhtml_stays_xml(tmp_path):
    assert paragraphs("html", XHTML.encode()) == ["One\ntwo.", "Three."]
    said = rewritten(tmp_path, XHTML, "bilingual")
    root = etree.fromstring(said.encode())
    assert root.find(".//{*}nav").text == "Menu" and "p > a {" in root.find(".//{*}style").text
    assert [dict(meta.attrib) for meta in root.iter("{*}meta")] == [
        {"charset": "utf-8"},
        {"name": "a", "content": "b"},
    ]
    assert root.find(".//{*}script").text == "/**/if (1 < 2 && 3) x();/**/"
    assert paragraphs("html", said.encode()) == ["One\ntwo.\nNEW", "Three.\nNEW"]
    assert paragraphs("html", rewritten(tmp_path, XHTML).encode()) == ["NEW", "NEW"]


def test_alignment_finds_a_part_and_cut_paragraphs():
    blocks = ["Yes.", "No.", "***", "Yes.", "A long one. And more.", "End."]
    part = [("Yes.", "Ja."), ("A long one.", "Ein langer."), ("And more.", "Und mehr.")]
    assert place.aligned(blocks, part) == [None, None, None, "Ja.", "Ein langer. Und mehr.", None]
    assert place.aligned(blocks, [(block, block) for block in blocks]) == blocks
    assert place.aligned(blocks, []) == [None] * 6


def test_alignment_goes_on_after_what_is_not_there():
    blocks = [f"Line {number}." for number in range(200)] + ["Yes.", "No."] * 20
    wanted = [(block, block.upper()) for block in blocks]
    wanted[3] = wanted[90] = wanted[92] = wanted[201] = ("Elsewhere.", "ELSEWHERE.")
    found = place.aligned(blocks, [("Before.", "BEFORE."), *wanted])
    assert [at for at, text in enumerate(found) if text is None] == [3, 90, 92, 201]
    assert all(text in (None, blocks[at].upper()) for at, text in enumerate(found))
    assert place.counted(place.found(blocks, wanted), wanted, blocks) == (236, 4, ())
    gap = place.aligned(blocks, wanted[:50] + wanted[120:])
    assert [at for at, text in enumerate(gap) if text is None] == [3, *range(50, 120), 201]
    lost = [(f"Not line {number}.", "") for number in range(70)]
    found = place.aligned(blocks, wanted[:20] + lost + wanted[20:80])
    assert [at for at, text in enumerate(found[:81]) if text is None] == [3, 80]
    other = [("Yes.", "Ja."), ("Not there.", "Nicht da."), ("Line 7.", "Zeile 7.")]
    assert place.counted(place.found(blocks, other), other, blocks).lost == 2


def test_a_paragraph_that_is_only_begun_is_not_lost():
    """Where a translation was stopped, the block's other sentences are still to come."""
    blocks = ["One. Two.", "Three. Four.", "Five."]
    begun = [("One. Two.", "Eins. Zwei."), ("Three.", "Drei.")]
    assert place.counted(place.found(blocks, begun), begun, blocks) == (1, 0, ())
    other = [*begun[:1], ("Six.", "Sechs.")]
    assert place.counted(place.found(blocks, other), other, blocks) == (1, 1, ())


def test_the_ending_chooses_the_format():
    assert outputs.kind_of("a.TXT") == "txt" and outputs.kind_of("book.en.markdown") == "md"
    assert outputs.kind_of("book", "md") == "md" and outputs.kind_of("book", "pdf") == "txt"
    with pytest.raises(UnsupportedError) as error:
        outputs.kind_of("a.xlsx")
    assert ".tsv" in error.value.hint
