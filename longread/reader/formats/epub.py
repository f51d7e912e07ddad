"""EPUB 2 and 3: the chapters of the spine, in order.

Knows how the files of a book become one text, and which of its places the book's own table
of contents names. The container is ``archive``'s, the package ``opf``'s, a page ``markup``'s.
"""

from __future__ import annotations

import itertools
import re

from selectolax.lexbor import LexborHTMLParser

from longread.errors import InputError
from longread.reader import magic
from longread.reader.charset import Charset
from longread.reader.decode import TOO_MANY, Damage
from longread.reader.files import Bytes
from longread.reader.formats import html, markup, opf
from longread.reader.formats.archive import Absurd, Archive
from longread.reader.formats.extract import Extract, Text

NAME = "epub"
OTHERS = ("file of the reading order that is no page", "files of the reading order that are no pages")
ASIDE = ("file beside the reading order", "files beside the reading order")
_Place = tuple[int, int, str]
_WORDS = re.compile(r"[^\W_]+")


def recognises(name: str, head: bytes) -> bool:
    """By its first member, or by its name where that stands elsewhere."""
    return magic.known(head) is magic.EPUB or (head.startswith(b"PK") and name.endswith(".epub"))


def open(data: Bytes, encoding: Charset | None = None) -> Text:
    """The text in ``data``. Raises ``InputError`` for damage, ``UnsupportedError`` for DRM."""
    with Archive(data, "EPUB") as archive, Extract(data, NAME) as out:
        book = opf.package(archive)
        entries = opf.contents(archive, book)
        for name, value in book.fields.items():
            out.field(name, value)
        if encoding:
            out.notes.append("--encoding is not used: an EPUB says its own")
        if book.missing:
            out.notes.append(f"{book.missing} of the files that this EPUB names are not in it")
        wanted = {(entry.member, entry.fragment) for entry in entries}
        out.left[ASIDE] += book.aside
        out.left[OTHERS] += book.others
        places = _write(archive, book, out, wanted, headings=not entries)
        for entry in entries:
            # A fragment that its page does not have leads to the page.
            key = (entry.member, entry.fragment)
            place = places.get(key if key in places else (entry.member, ""))
            if place:
                start, end, text = place
                out.mark(entry.title, entry.depth, start, end if same(text, entry.title) else start)
        return out.text()


def same(text: str, title: str) -> bool:
    """Whether a paragraph is the heading that an entry of the contents names, or the one is the other's
    beginning. A title of a few letters such as "I" begins many a sentence."""
    words, named = _WORDS.findall(text.casefold()), "".join(_WORDS.findall(title.casefold()))
    said = "".join(words)
    if not said or not named or len(text) >= 400:
        return False
    if said == named or len(text) >= 200:
        return said == named
    if named[-1] > "\u2fff":  # without spaces between words
        begins = len(named) > 2 and said.startswith(named)
    else:
        begins = len(named) > 4 and named in itertools.accumulate(words)
    return begins or named.startswith(said)


def _write(
    archive: Archive, book: opf.Package, out: Extract, wanted: set[tuple[str, str]], headings: bool
) -> dict[tuple[str, str], _Place | None]:
    """Every paragraph of the spine; start, end and text of those that ``wanted`` anchors stand before.

    The first paragraph of a member is kept under the empty fragment. Anchors that no paragraph of their
    member follows, as in a page that is a picture, stand before the next member's; None after the last.
    """
    places: dict[tuple[str, str], _Place | None] = {}
    waiting: list[tuple[str, str]] = []
    damaged = lost = 0
    for member in book.spine:
        try:
            tree, wrong = tree_of(archive, member)
            lost += wrong
        except Absurd:
            raise
        except InputError:
            if len(book.spine) == 1:
                raise
            damaged += 1
            continue
        root = tree.body or tree.root
        if root is None:
            continue
        waiting.append((member, ""))
        last: list[str] = []
        for block in markup.blocks(root, out.left, last=last):
            waiting += [(member, anchor) for anchor in block.ids if (member, anchor) in wanted]
            start = out.add(block.text, block.depth if headings else 0)
            if out.characters == start:
                continue
            place = (start, out.characters - 2, block.text if len(block.text) < 1000 else "")
            for key in waiting:
                places.setdefault(key, place)
            waiting = []
        waiting += [(member, anchor) for anchor in last if (member, anchor) in wanted]
    for key in waiting:
        places.setdefault(key, None)
    if damaged * 2 > len(book.spine):
        raise archive.damaged(f"{damaged} of its {len(book.spine)} chapters cannot be read")
    if damaged:
        out.notes.append(f"{damaged} of {len(book.spine)} chapters are damaged and missing from the text")
    if lost:
        what = "1 character is" if lost == 1 else f"{lost:,} characters are"
        out.notes.append(f"{what} not valid in the encoding of its chapter and shown as \ufffd")
    return places


def tree_of(archive: Archive, member: str) -> tuple[LexborHTMLParser, int]:
    """The tree of a page, and how many of its characters could not be decoded.

    Raises ``InputError`` for a page that is damaged. One character alone does not make it so: most pages
    are short.
    """
    damage = Damage()
    content = markup.decoded(archive.read(member), damage)
    if damage.count > 1 and damage.count * TOO_MANY > damage.characters:
        raise archive.damaged(f"{damage.count:,} characters of {member[:200]!r} cannot be decoded")
    return html.tree_of(content, archive.name, xml=True), damage.count
