"""A translation as an EPUB 3 that is made anew, for a text that was no EPUB.

Knows the archive's own files: container, package, navigation document, and NCX for old readers. What
stands on its pages is ``leaves``'. The same translation gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from uuid import UUID

from longread.tasks.translate.outputs import leaves
from longread.tasks.translate.outputs.leaves import Leaf, page, text
from longread.tasks.translate.outputs.place import direction
from longread.tasks.translate.segments import Translation

_CONTAINER = """<?xml version="1.0" encoding="utf-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>
"""
_LINK = '<link rel="stylesheet" type="text/css" href="style.css"/>'
_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that an archive can say
_MODIFIED = "2000-01-01T00:00:00Z"  # no clock decides what is written


def write(translation: Translation, layout: str) -> Iterator[bytes]:
    """The whole book in one piece."""
    title, language = leaves.name(translation), translation.tgt
    pages = leaves.leaves(translation, layout) or [Leaf(lines=["<p></p>"])]
    names = [f"page{number:04}.xhtml" for number in range(1, len(pages) + 1)]
    listed = [(file, leaf.title or title) for file, leaf in zip(names, pages, strict=True)]
    key = UUID(hashlib.sha256(f"{translation.document.get('sha256')} {language}".encode()).hexdigest()[:32])
    files = {
        "META-INF/container.xml": _CONTAINER,
        "OEBPS/book.opf": _package(translation, title, str(key), names),
        "OEBPS/nav.xhtml": page(title, language, _nav(listed), _LINK),
        "OEBPS/toc.ncx": _ncx(title, str(key), listed),
        "OEBPS/style.css": leaves.STYLE,
    }
    for file, leaf in zip(names, pages, strict=True):
        files[f"OEBPS/{file}"] = page(leaf.title or title, language, leaf.lines, _LINK)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        # First and as it is: that is how a reader knows an EPUB.
        archive.writestr(zipfile.ZipInfo("mimetype", _DATE), "application/epub+zip")
        for name, content in files.items():
            item = zipfile.ZipInfo(name, _DATE)
            item.compress_type, item.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(item, content)
    yield held.getvalue()


def _package(translation: Translation, title: str, key: str, names: list[str]) -> str:
    author = text(str(translation.document.get("author") or ""))
    side = ' page-progression-direction="rtl"' if direction(translation.tgt) == "rtl" else ""
    items = "\n".join(
        f'<item id="{name[:-6]}" href="{name}" media-type="application/xhtml+xml"/>' for name in names
    )
    order = "\n".join(f'<itemref idref="{name[:-6]}"/>' for name in names)
    return f"""<?xml version="1.0" encoding="utf-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"
 xml:lang="{text(translation.tgt)}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{key}</dc:identifier>
<dc:title>{text(title)}</dc:title>
<dc:language>{text(translation.tgt)}</dc:language>
{f"<dc:creator>{author}</dc:creator>" if author else ""}
<meta property="dcterms:modified">{_MODIFIED}</meta>
</metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>
<item id="css" href="style.css" media-type="text/css"/>
{items}
</manifest>
<spine toc="ncx"{side}>
{order}
</spine>
</package>
"""


def _nav(listed: list[tuple[str, str]]) -> list[str]:
    items = "".join(f'<li><a href="{file}">{text(title)}</a></li>' for file, title in listed)
    return [f'<nav xmlns:epub="http://www.idpf.org/2007/ops" epub:type="toc"><ol>{items}</ol></nav>']


def _ncx(title: str, key: str, listed: list[tuple[str, str]]) -> str:
    points = "\n".join(
        f'<navPoint id="n{number}" playOrder="{number}"><navLabel><text>{text(label)}</text></navLabel>'
        f'<content src="{file}"/></navPoint>'
        for number, (file, label) in enumerate(listed, start=1)
    )
    return f"""<?xml version="1.0" encoding="utf-8"?>
<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1">
<head><meta name="dtb:uid" content="urn:uuid:{key}"/></head>
<docTitle><text>{text(title)}</text></docTitle>
<navMap>
{points}
</navMap>
</ncx>
"""
