"""One book as a file of every format, made by hand or by other people's writers.

``Book`` is what each builder is given: a heading and paragraphs for each chapter.
"""

from __future__ import annotations

import html
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from longread.reader import open_document

CONTAINER = (
    '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles>'
    "</container>"
)
_XHTML = '<?xml version="1.0" encoding="utf-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"{}>'


@dataclass(frozen=True)
class Book:
    """``front`` stands before the first chapter; a chapter is its heading and its paragraphs."""

    title: str
    author: str
    language: str
    front: tuple[str, ...]
    chapters: tuple[tuple[str, tuple[str, ...]], ...]


def novella(chapters: int | None = None) -> Book:
    """The bundled novella, as the reader of plain text sees it."""
    with open_document("sample:en") as document:
        passages = list(document.passages())
        titles = [chapter.title for chapter in document.chapters][:chapters]
    parts: list[list[str]] = [[] for _ in titles]
    front = []
    for passage in passages:
        if passage.chapter is None:
            front.append(passage.text)
        elif passage.chapter < len(parts) and passage.start > document.chapters[passage.chapter].start:
            parts[passage.chapter].append(passage.text)
    pairs = tuple((title, tuple(texts)) for title, texts in zip(titles, parts, strict=True))
    return Book(document.title, "", "en", tuple(front), pairs)


def page(title: str, body: str, lang: str = "en") -> str:
    """An XHTML page."""
    head = _XHTML.format(f' lang="{lang}" xml:lang="{lang}"')
    return f"{head}<head><title>{html.escape(title)}</title></head><body>{body}</body></html>"


def paragraphs(texts: tuple[str, ...]) -> str:
    return "".join(f"<p>{html.escape(text)}</p>\n" for text in texts)


def epub(book: Book, *, ncx: bool = False) -> bytes:
    """An EPUB 3 with a nav, or an EPUB 2 with an NCX."""
    pages = {"front.xhtml": page(book.title, paragraphs(book.front))}
    entries = []
    for number, (title, texts) in enumerate(book.chapters, 1):
        name = f"text/c{number}.xhtml"
        entries.append((name, title))
        pages[name] = page(title, f'<h2 id="top">{html.escape(title)}</h2>{paragraphs(texts)}')
    if ncx:
        points = "".join(
            f'<navPoint id="n{number}"><navLabel><text>{html.escape(title)}</text></navLabel>'
            f'<content src="{name}#top"/></navPoint>'
            for number, (name, title) in enumerate(entries, 1)
        )
        doctype = '<!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "http://www.daisy.org/ncx-2005-1.dtd">'
        head = '<head><meta name="dtb:uid" content="urn:x"/></head><docTitle><text>A Book</text></docTitle>'
        root = '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1">'
        root += f"{head}<navMap>{points}</navMap></ncx>"
        contents = {"toc.ncx": f'<?xml version="1.0"?>{doctype}{root}'}
    else:
        items = "".join(f'<li><a href="{name}">{html.escape(title)}</a></li>' for name, title in entries)
        contents = {"nav.xhtml": page("Contents", f'<nav epub:type="toc"><ol>{items}</ol></nav>')}
    return package(pages, contents, book.title, book.author, book.language)


def package(
    pages: dict[str, str | bytes],
    contents: dict[str, str] | None = None,
    title: str = "A Book",
    author: str = "A. Writer",
    language: str = "en",
    extra: dict[str, str | bytes] | None = None,
) -> bytes:
    """An EPUB of these pages. ``extra`` are members of the archive, by their whole names."""
    contents = contents or {}
    kinds = {"nav.xhtml": ' properties="nav"'}
    kind = {True: "application/x-dtbncx+xml", False: "application/xhtml+xml"}
    items = [
        f'<item id="i{number}" href="{name}" media-type="{kind[name.endswith(".ncx")]}"'
        f"{kinds.get(name, '')}/>"
        for number, name in enumerate([*contents, *pages])
    ]
    spine = [f'<itemref idref="i{number}"/>' for number in range(len(contents), len(contents) + len(pages))]
    creator = f"<dc:creator>{html.escape(author)}</dc:creator>" if author else ""
    opf = (
        '<?xml version="1.0" encoding="utf-8"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" '
        'unique-identifier="id"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">'
        f"urn:x</dc:identifier><dc:title>{html.escape(title)}</dc:title>{creator}<dc:language>{language}</dc:language>"
        '<meta property="dcterms:modified">2026-01-01T00:00:00Z</meta></metadata>'
        f"<manifest>{''.join(items)}</manifest><spine>{''.join(spine)}</spine></package>"
    )
    members: dict[str, str | bytes] = {"META-INF/container.xml": CONTAINER, "OEBPS/book.opf": opf}
    members |= {f"OEBPS/{name}": content for name, content in {**contents, **pages}.items()}
    return archive({"mimetype": "application/epub+zip"} | members | (extra or {}))


def archive(members: dict[str, str | bytes]) -> bytes:
    """A zip archive; a first member ``mimetype`` is stored, as EPUB asks."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in members.items():
            target.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else None)
    return held.getvalue()


def web(book: Book) -> bytes:
    """An HTML page with a menu and a footer."""
    body = "".join(f"<h2>{html.escape(title)}</h2>\n{paragraphs(texts)}" for title, texts in book.chapters)
    return (
        f'<!DOCTYPE html>\n<html lang="{book.language}"><head><meta charset="utf-8"><title>'
        f'{html.escape(book.title)}</title></head><body><nav><a href="/">Home</a></nav>'
        f"<main>{paragraphs(book.front)}{body}</main><footer><p>All about us</p></footer></body></html>"
    ).encode()


def docx(book: Book) -> bytes:
    """A Word document with headings, written by python-docx."""
    from docx import Document

    document = Document()
    document.core_properties.title = book.title
    for text in book.front:
        document.add_paragraph(text)
    for title, texts in book.chapters:
        document.add_heading(title, 1)
        for text in texts:
            document.add_paragraph(text)
    held = io.BytesIO()
    document.save(held)
    return held.getvalue()


def rich_docx() -> bytes:
    """A Word document with a table, a note, ruby, a deletion, a text box and contents."""
    from docx import Document
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part
    from docx.oxml import parse_xml

    word = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document = Document()
    document.add_paragraph("The Rich Book", "Title")
    document.add_heading("First", 1)
    body = document.element.body
    for inner in (
        '<w:r><w:t>A sentence</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r>'
        '<w:r><w:t xml:space="preserve"> goes on.</w:t></w:r>',
        "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>Put in.</w:t></w:r></w:ins>",
        "<w:r><w:ruby><w:rubyPr/><w:rt><w:r><w:t>ほん</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>本</w:t></w:r>"
        "</w:rubyBase></w:ruby></w:r><w:r><w:t>を読む。</w:t></w:r>",
        "<w:r><w:t>One line</w:t><w:br/><w:t>and another</w:t><w:tab/><w:t>there.</w:t></w:r>",
        "<w:r><w:t>Beside a box.</w:t></w:r><w:r><w:pict><w:txbxContent><w:p>"
        "<w:r><w:t>In the box.</w:t></w:r></w:p></w:txbxContent></w:pict></w:r>",
    ):
        body.insert_element_before(parse_xml(f"<w:p {word}>{inner}</w:p>"), "w:sectPr")
    table = document.add_table(2, 2)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"cell {number}"
    notes = (
        f'<?xml version="1.0"?><w:footnotes {word}><w:footnote w:type="separator" w:id="0"/>'
        '<w:footnote w:id="2"><w:p><w:r><w:footnoteRef/></w:r><w:r><w:t>The note.</w:t></w:r></w:p>'
        "</w:footnote></w:footnotes>"
    )
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = Part(PackURI("/word/footnotes.xml"), kind, notes.encode(), document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    held = io.BytesIO()
    document.save(held)
    return held.getvalue()


def pdf(book: Book, *, outline: bool = True, indent: bool = True, packed: bool = True) -> bytes:
    """A PDF with running heads and page numbers, set by reportlab; paragraphs by indent or by space."""
    from reportlab.lib.enums import TA_JUSTIFY
    from reportlab.lib.pagesizes import A5
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph

    name = "Times-Roman"
    prose = ParagraphStyle(
        "prose",
        fontName=name,
        fontSize=10,
        leading=12.5,
        alignment=TA_JUSTIFY,
        firstLineIndent=14 if indent else 0,
        spaceAfter=0 if indent else 8,
    )
    heading = ParagraphStyle("heading", fontName=name, fontSize=15, leading=18, spaceBefore=24, spaceAfter=12)

    class Heading(Paragraph):
        def draw(self):
            if outline:
                self.canv.bookmarkPage(self.text)
                self.canv.addOutlineEntry(html.unescape(self.text), self.text, 0)
            super().draw()

    def furnish(canvas, document):
        canvas.setFont(name, 8)
        width, height = A5
        head = book.title.upper() if document.page % 2 else "A READER OF BOOKS"
        canvas.drawCentredString(width / 2, height - 30, head)
        canvas.drawCentredString(width / 2, 24, str(document.page))

    held = io.BytesIO()
    document = BaseDocTemplate(held, pagesize=A5, title=book.title, invariant=1, pageCompression=int(packed))
    frame = Frame(54, 48, A5[0] - 108, A5[1] - 96, id="text")
    document.addPageTemplates([PageTemplate("page", frames=[frame], onPage=furnish)])
    story = [Paragraph(html.escape(text), prose) for text in book.front]
    for title, texts in book.chapters:
        story.append(Heading(html.escape(title), heading))
        story.extend(Paragraph(html.escape(text), prose) for text in texts)
    document.build(story)
    return held.getvalue()


def write(path: Path, content: bytes) -> Path:
    """``content`` in a new file."""
    path.write_bytes(content)
    return path
