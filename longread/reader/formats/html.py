"""HTML: a book in one page.

Knows how a page says its encoding, title, author and language. A page is parsed whole, so it
may be ``LARGEST`` at most. What a readability library does, guessing which part of a page
is the article, is not done here: it drops short chapters, verse and dialogue of a book, and
nothing may be left out in silence. Menus and footers are told by their elements.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from longread.errors import InputError
from longread.reader import charset, magic
from longread.reader.charset import Charset
from longread.reader.decode import Damage, decode
from longread.reader.files import Bytes
from longread.reader.formats import gz, markup
from longread.reader.formats.extract import Extract, Text

NAME = "html"
LARGEST = 1 << 25
_XML_ENDINGS = (".xhtml", ".xht")
_ENDINGS = (".html", ".htm", *_XML_ENDINGS)
_BEGINNING = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>\s*|<!--.{0,300}?-->\s*)*<(?:!doctype\s+html|html)\b",
    re.I | re.S,
)
_AUTHORS = ("author", "dc.creator", "dcterms.creator")
_TITLES = ("dc.title", "dcterms.title")


def recognises(name: str, head: bytes) -> bool:
    """By its name or by how it begins."""
    return magic.known(head) is None and (name.endswith(_ENDINGS) or _BEGINNING.match(head) is not None)


def open(data: Bytes, encoding: Charset | None = None) -> Text:
    """The text of the page in ``data``. Raises ``InputError`` where it is too large or holds none."""
    if data.size > LARGEST:
        raise InputError(
            f"{data.name} is a page of {data.size:,} bytes; longread reads HTML up to {LARGEST:,}",
            "split it, or convert it to text first, for example: pandoc -t plain -o book.txt",
        )
    chosen, damage = encoding or encoding_of(data), Damage()
    content = decoded(data, chosen, damage)
    tree = tree_of(content, data.name, xml=is_xml(content, data.name))
    with Extract(data, NAME) as out:
        if note := damage.note(chosen):
            out.notes.append(note)
        _fields(tree, out)
        root = tree.body or tree.root
        if root is not None:
            for block in markup.blocks(root, out.left, page=True):
                out.add(block.text, block.depth)
        return out.text(chosen)


def encoding_of(data: Bytes) -> Charset:
    """The encoding of a page: by its mark, by what it says, or by its bytes."""
    head = data.read_at(0, 4096)
    return _marked(data, head) or charset.declared(head) or charset.detect(data)


def decoded(data: Bytes, chosen: Charset | None = None, damage: Damage | None = None) -> str:
    """The page as text. Raises ``InputError`` where it is not in the encoding ``chosen``."""
    chosen, damage = chosen or encoding_of(data), damage or Damage()
    content = "".join(decode(data, chosen, damage))
    damage.check(data.name, chosen)
    return content


def is_xml(content: str, name: str) -> bool:
    """Whether a page says, or a file's name, that it is XML and may use its short form of empty elements."""
    return content[:100].lstrip().startswith("<?xml") or gz.bare(name.lower()).endswith(_XML_ENDINGS)


def tree_of(content: str, name: str, xml: bool = False) -> LexborHTMLParser:
    """The tree of a page. Raises ``InputError`` where the parser gives up."""
    try:
        return markup.parse(content, xml)
    except (SelectolaxError, ValueError, RuntimeError, MemoryError) as error:
        raise InputError(f"{name} cannot be read as HTML", "open and save it in a browser first") from error


def _marked(data: Bytes, head: bytes) -> Charset | None:
    """The encoding that a byte order mark says."""
    return charset.detect(data) if head.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) else None


def _fields(tree: LexborHTMLParser, out: Extract) -> None:
    """Title, author and language as the page's head states them."""
    stated: dict[str, str] = {}
    for node in tree.css("meta[name][content]"):
        own = node.attributes
        stated.setdefault((own.get("name") or "").lower(), own.get("content") or "")
    title = tree.css_first("head > title")
    for name in _TITLES:
        out.field("title", stated.get(name))
    out.field("title", title.text() if title is not None else None)
    for name in _AUTHORS:
        out.field("author", stated.get(name))
    if tree.root is not None:
        own = tree.root.attributes
        out.field("language", own.get("lang") or own.get("xml:lang"))
