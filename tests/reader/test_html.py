"""HTML: what is a paragraph, what is no text, and how a page says its encoding."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longread.errors import InputError
from longread.reader.formats import html
from tests.reader.held import Held, left_out, paragraphs, text_of


def web(body, head=""):
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<p>One\n  two&nbsp;three</p><p>Four</p>", ["One two three", "Four"]),
        (
            "<div>Loose <b>words</b><p>A paragraph</p>and more</div>",
            ["Loose words", "A paragraph", "and more"],
        ),
        ("<p>Roses<br>Violets<br/>  Sugar</p>", ["Roses\nViolets\nSugar"]),
        ("One<br><br>Two<br> <br>Three<br>Four", ["One", "Two", "Three\nFour"]),
        ("<pre>A line\n  and one\n\nNew verse</pre>", ["A line\nand one", "New verse"]),
        ("<p>soft\u00adhyphen\u200b</p>", ["softhyphen"]),
        (
            "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td><p>2</p></td></tr></table>",
            ["A | B", "1 | 2"],
        ),
        (
            "<table><tr><td>Name<br/></td><td>Value</td></tr><tr><td><br></td><td>x<br>y</td></tr></table>",
            ["Name | Value", "x y"],
        ),
        (
            "<table><tr><td>Name<div>Detail</div></td><td><dl><dt>A</dt><dd>B</dd></dl></td>"
            "<td><center>One</center><center>Two</center></td></tr></table>",
            ["Name Detail | A B | One Two"],
        ),
        (
            "<p>So <math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x</annotation>"
            "<annotation-xml encoding='MathML-Content'><ci>x</ci></annotation-xml></semantics></math>.</p>",
            ["So x."],
        ),
        (
            "<p>So <epub:switch><epub:case><i>x</i></epub:case><epub:default>y</epub:default>"
            "</epub:switch>.</p>",
            ["So y."],
        ),
        ('<p>see equation <a href="#e3">(3)</a> above</p>', ["see equation (3) above"]),
        (
            '<p>word<sup><span><a href="#n1">1</a></span></sup> and<a href="#n"><sup>2</sup></a>'
            '<a class="noteref" href="#n">(3)</a></p>',
            ["word and"],
        ),
        ("<table><tr><td><p>x</p><p>y</p></td><td>z</td></tr></table>", ["x", "y", "z"]),
        ("<ul><li>one</li><li>two<ul><li>three</li></ul></li></ul>", ["one", "two", "three"]),
        ("<p><ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>を読む</p>", ["漢字を読む"]),
        ('<p>Truth<sup><a href="#n1">1</a></sup> is<a href="#f2" class="noteref">*</a>.</p>', ["Truth is."]),
        (
            '<p>So<a href="#f">[12]</a> it is, in <a href="#c3">chapter 3</a>.</p>',
            ["So it is, in chapter 3."],
        ),
        ('<p>On <span class="pagenum"><a id="p3">[Pg 3]</a></span>we go</p>', ["On we go"]),
        (
            '<h2 class="pagebreak">Chapter 1</h2><p class="pagebreak">He left.</p>'
            '<span class="pagebreak">  p.&nbsp;iv </span><span class="pageno">[Seite 12]</span>'
            '<b class="pagenum">{p12-13}</b>',
            ["Chapter 1", "He left."],
        ),
        (
            '<div class="pagebreak" id="c1">\n<a id="p1"></a>\n<div class="orn">\n<img/>\n</div>\n<h2>\n'
            "<span>I</span>\n</h2>\n<p>The chapter.</p></div><p>Second.</p>",
            ["I", "The chapter.", "Second."],
        ),
        ('<div class="pagebreak"><h2>II</h2></div><div class="pagebreak">12</div><p>On.</p>', ["II", "On."]),
        (
            f'<p>a<sup><a href="#n">{"<b></b>" * 12}1</a></sup></p>',
            ["a1"],
        ),
        (
            '<div class="pagebreak"><p>A whole chapter stands in it.</p></div>',
            ["A whole chapter stands in it."],
        ),
        ('<p class="pagebreak">\n                      \nIt is late.</p>', ["It is late."]),
        ('<p><img src="i.png" alt="I"/>t is <img alt="A ship"/>true</p>', ["It is true"]),
        (
            "<script>var a</script><style>p</style><p hidden>x</p><p style='display: none'>y</p><p>z</p>",
            ["z"],
        ),
        ("<nav>Menu</nav><p>Text</p><footer>Us</footer>", ["Text"]),
        ("<p>a &lt;b&gt; &amp; \x1b[31mc</p>", ["a <b> & [31mc"]),
        ("<p>unclosed <i>tags<p>and <b>more", ["unclosed tags", "and more"]),
    ],
)
def test_paragraphs(body, found):
    assert paragraphs("html", web(body)) == found


def test_what_is_left_out_is_counted():
    body = (
        '<p>a<sup><a href="#n">1</a></sup></p><img alt="A ship"/><img/><ruby>漢<rt>か</rt></ruby><nav>m</nav>'
    )
    assert left_out("html", web(body)) == (
        "1 mark of a note",
        "2 images",
        "1 reading beside characters",
        "1 menu or footer",
    )


def test_what_is_not_shown_is_counted_where_it_has_words():
    body = (
        "<p>a</p><aside hidden>b</aside><p style='display:none'> </p><p style='display:none'>c</p>"
        "<noscript>d</noscript><noscript><img/></noscript><object>e</object><textarea>f</textarea>"
        "<script>g</script><object data='x'> </object>"
    )
    assert paragraphs("html", web(body)) == ["a"]
    assert left_out("html", web(body)) == ("5 passages that are not shown",)


def test_cdata_in_xml_is_text():
    body = (
        "<style><![CDATA[ p > a ]]></style><p>a <![CDATA[words & <b>more</b>]]> z</p><script src='x'/>"
        "<p><![CDATA[&amp;]]> ]]&gt;</p><p>b <![CDATA[c</p>"
    )
    page = f'<?xml version="1.0"?><html><head><title/></head><body>{body}</body></html>'
    assert paragraphs("html", page.encode())[:2] == ["a words & <b>more</b> z", "&amp; ]]>"]


def test_headings_are_the_contents():
    text = text_of("html", web("<h1>Book</h1><h2>Chapter I.<br>The Sea</h2><p>x</p><h3>Part</h3>"))
    assert [(mark.title, mark.depth) for mark in text.contents] == [
        ("Book", 1),
        ("Chapter I. The Sea", 2),
        ("Part", 3),
    ]
    whole = "".join(text.pieces())
    assert [whole[mark.start : mark.body].replace("\n", " ") for mark in text.contents][
        1
    ] == "Chapter I. The Sea"
    text.close()


@pytest.mark.parametrize(
    ("content", "encoding", "word"),
    [
        (
            web("<p>Привет</p>", "<meta charset=windows-1251>").decode().encode("cp1251"),
            "windows-1251",
            "Привет",
        ),
        (b'<?xml version="1.0" encoding="GBK"?><html><p>' + "你好世界".encode("gbk"), "gb18030", "你好世界"),
        (web("<p>café</p>").decode().encode("utf-16"), "utf-16-le", "café"),
        (b"\xef\xbb\xbf" + web("<p>café</p>", "<meta charset=latin-1>"), "utf-8-sig", "café"),
        (web("<p>café</p>", "<meta charset=nonsense>"), "utf-8", "café"),
        (web("<p>café</p>", "<meta charset=utf-16>"), "utf-8", "café"),
        (web("<p>“Déjà”</p>", "<meta charset=latin-1>").decode().encode("cp1252"), "windows-1252", "“Déjà”"),
        (web("<p>it’s</p>", "<meta charset=us-ascii>").decode().encode("cp1252"), "windows-1252", "it’s"),
        (web("<p>朱镕基</p>", "<meta charset=gb2312>").decode().encode("gbk"), "gb18030", "朱镕基"),
        (web("<p>①髙橋</p>", "<meta charset=Shift_JIS>").decode().encode("cp932"), "shift_jis", "①髙橋"),
        (web("<p>똠방각하</p>", "<meta charset=euc-kr>").decode().encode("cp949"), "euc-kr", "똠방각하"),
        (web("<p>嘅喺嗰</p>", "<meta charset=big5>").decode().encode("big5hkscs"), "big5", "嘅喺嗰"),
        (web("<p>café</p>", "<meta charset=unicode_escape>"), "utf-8", "café"),
    ],
)
def test_encodings(content, encoding, word):
    text = text_of("html", content)
    assert (text.charset.name, "".join(text.pieces()).strip()) == (encoding, word)
    text.close()


def test_title_author_and_language_are_stated():
    head = '<title>A &amp; B</title><meta name="author" content="C. Writer">'
    head += '<meta name="DC.title" content="The Book">'
    text = text_of("html", web("<p>x</p>", head).replace(b"<html>", b'<html lang="sv">'))
    assert text.fields == {"title": "The Book", "author": "C. Writer", "language": "sv"}
    text.close()


def test_xml_closes_what_html_does_not():
    body = b'<body><p>a<a id="x"/>b</p><script src="y"/><p>c</p></body>'
    assert paragraphs("html", b'<?xml version="1.0"?><html><head><title/></head>' + body) == ["ab", "c"]


@pytest.mark.parametrize("name", ["a.xhtml", "a.XHT", "a.xhtml.gz"])
def test_a_name_may_say_that_a_page_is_xml(name):
    text = html.open(Held(b'<html><head><title/></head><body><p>a</p><script src="a.js"/><p>b</p>', name))
    assert "".join(text.pieces()).split() == ["a", "b"]
    text.close()


BOMB = "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 9}'>" for n in range(1, 30))


@pytest.mark.parametrize("xml", ["", '<?xml version="1.0"?>\n<!-- [ -->'])
@pytest.mark.parametrize(
    ("declared", "words", "found"),
    [
        ('\n<!ENTITY D "&#8212;">\n', "a&D;b", "a—b"),
        (
            "<!-- <!ENTITY D 'no'> --><!ENTITY D \"'\"><!ENTITY D 'x'><!ENTITY lt '&#38;#60;'>",
            "&D;&lt;",
            "'<",
        ),
        (f'<!ENTITY a0 "ha">{BOMB}<!ENTITY e SYSTEM "file:///etc/passwd">', "&a0;&a29;&e;", "ha&a29;&e;"),
        (f'<!ENTITY D "{"x" * 99}"><!ENTITY E "{"x" * 101}">', "&D;&E;", f"{'x' * 99}&E;"),
        ('<!ATTLIST html lang CDATA "en">', "a", "a"),
    ],
)
def test_what_a_page_declares_in_brackets_is_no_text(xml, declared, words, found):
    page = (
        f"{xml}<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.1//EN' 'x.dtd' [{declared}]>\n<html><p>{words}</p>"
    )
    assert paragraphs("html", page.encode()) == [found]


def test_entities_do_not_fill_the_memory():
    page = f'<!DOCTYPE html [<!ENTITY D "{"x" * 99}">]><html><p>{"&D; " * 9999}</p>'
    assert len(paragraphs("html", page.encode())[0]) < 2 * len(page) + 5000


@pytest.mark.parametrize("content", [web(""), web("<img>"), web("<p hidden>x</p>"), b"<html>"])
def test_a_page_without_text_is_said_to_be_one(content):
    with pytest.raises(InputError, match="no text"):
        text_of("html", content)


def test_an_enormous_page_is_refused():
    with pytest.raises(InputError, match="up to 33,554,432"):
        text_of("html", web("x" * (1 << 25)))


PARTS = (
    *(
        "<p>",
        "</p>",
        "<br>",
        "<b>",
        "</b>",
        "<pre>",
        "</pre>",
        "<table><tr><td>",
        "</td></tr></table>",
        "</div>",
    ),
    *(
        "<ruby>x<rt>y</rt></ruby>",
        "<!-- z -->",
        "&amp;",
        "<h2>",
        "</h2>",
        "<li>",
        "<div id=x>",
        "\n\n",
        "<img alt=I>",
    ),
    *("<sup><a href='#x'>1</a></sup>", " word ", " word ", "]]>"),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=60))
def test_no_markup_comes_through_and_every_word_does(parts):
    text = text_of("html", web("".join(parts) + "</table></pre><p>end</p>"))
    whole = "".join(text.pieces())
    text.close()
    assert "<" not in whole and "\n\n\n" not in whole and whole.rstrip().endswith("end")
    assert whole.count("word") == parts.count(" word ")
