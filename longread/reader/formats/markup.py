"""HTML as paragraphs and headings, in the order in which they are read.

Knows which elements set paragraphs apart, and what in a page is no text of the book: marks
of notes, page numbers, the readings of ruby, navigation. Knows nothing of files. What
translates a book walks it with the same ``blocks`` and so counts as the reader does.
"""

from __future__ import annotations

import html
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from longread.errors import InputError
from longread.reader import charset
from longread.reader.decode import TOO_MANY, Damage
from longread.reader.formats import doctype

BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav ol p pre section "
    "summary table tbody td tfoot th thead tr ul".split()
)
_SILENT = frozenset(
    # The last three say once more, in another way, what stands beside them.
    "script style head title template svg iframe object noscript audio video canvas select button input "
    "textarea rp rt rtc map frameset annotation annotation-xml epub:case".split()
)
# Of these, what shows words where something else cannot be shown, or asks for some.
_WORDY = frozenset("template iframe object noscript audio video canvas select button textarea".split())
_HEADINGS = {f"h{depth}": depth for depth in range(1, 7)}
_TITLES = ", ".join(_HEADINGS)
_SMALL = 12  # nodes of an element that may be a mark or a number
_LAYOUT = "table, h1, h2, h3, h4, h5, h6, p + p, div + div, p + div, div + p, ul, ol, pre, blockquote"
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)
_NOTE_TYPE = re.compile(
    r"\b(?:noteref|doc-noteref|fnref|fnanchor|footnote-?ref|backlink|doc-backlink)\b", re.I
)
_NOTE_MARK = re.compile(
    r"\(?(?:\d{1,4}|[*†‡§¶#]{1,4}|[a-z]|[ivxl]{1,6})\)?|[\[［]\s*\S{1,6}\s*[\]］]|[↩↑⤴^]︎?", re.I
)
_BRACKETED = "[［↩↑⤴^*†‡§"  # a number in round brackets may be an equation's
_PAGE_TYPE = re.compile(
    r"\b(?:pagebreak|doc-pagebreak|pagenum|page-?number|pageno|x-ebookmaker-pageno)\b", re.I
)
# What such an element says; a chapter that begins on a new page may have the same class.
_PAGE = re.compile(
    r"\W*+(?:(?:p(?:age|g)?|s(?:eite)?|p[aá]g(?:ina)?|с(?:тр)?)(?:\b\W*+|(?=\d)))?"
    r"(?:[ivxlcdm]+\W*+|(?:\d++\W*+)*+)",
    re.I,
)
_BLANK = re.compile(r"\n[ \t\r]*\n\s*")
INNER = re.compile("[ \t\r\n\f]{2,}|[\t\r\n\f]")
# A tag that XML closes at once and HTML does not: <title/> would swallow all that follows it.
_CLOSED = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)"
    r"([A-Za-z][\w:.-]{0,40})((?:\s[^<>]{0,4000}?)?)/>"
)
_CDATA = re.compile(r"<(?P<end>/?)(?:script|style)\b|<!\[CDATA\[(?P<words>.*?)\]\]>", re.I | re.S)
NOTES, PAGES, RUBY = (
    ("mark of a note", "marks of notes"),
    ("page number", "page numbers"),
    (
        "reading beside characters",
        "readings beside characters",
    ),
)
IMAGES, NAVIGATION = ("image", "images"), ("menu or footer", "menus and footers")
HIDDEN = ("passage that is not shown", "passages that are not shown")


@dataclass
class Block:
    """A paragraph, or a heading of ``depth`` 1 to 6.

    ``ids`` are the anchors at its beginning, ``nodes`` the text nodes that it is made of, ``shares``
    what each of them says in it (a node in <pre> may say several paragraphs), ``breaks`` the line
    breaks between them.
    The text is raw: ``extract.plain`` is applied where it is written.
    """

    text: str
    depth: int = 0
    ids: list[str] = field(default_factory=list)
    nodes: list[LexborNode] = field(default_factory=list)
    breaks: list[LexborNode] = field(default_factory=list)
    shares: list[str] = field(default_factory=list)


def parse(markup: str, xml: bool = False) -> LexborHTMLParser:
    """The tree of a page; ``xml`` if it may use XML's short form of empty elements, and CDATA."""
    markup, entities = doctype.opened(markup)
    if xml:
        markup = _uncovered(_CLOSED.sub(r"<\1\2></\1>", markup))
    return LexborHTMLParser(doctype.filled(markup, entities))


def _uncovered(markup: str) -> str:
    """``markup`` with what stands in CDATA escaped instead, but for scripts and styles."""
    raw = False

    def said(match: re.Match[str]) -> str:
        nonlocal raw
        if match["words"] is None:
            raw = not match["end"]
        elif not raw:
            return html.escape(match["words"], quote=False)
        return match[0]

    last = markup.rfind("]]>") + 3  # none begins after it, which is looked for once and not from each
    return _CDATA.sub(said, markup[:last]) + markup[last:]


def blocks(
    root: LexborNode, left: Counter[tuple[str, str]], page: bool = False, last: list[str] | None = None
) -> Iterator[Block]:
    """The blocks below ``root`` in order. What is no text is counted in ``left``.

    ``page`` says that this is a web page, whose menus and footers are not part of the text.
    ``last`` is given the anchors that no block follows.
    """
    walk = _Walk(left)
    stack = [(root, True)]
    while stack:
        node, entering = stack.pop()
        tag = node.tag or ""
        if not entering:
            yield from walk.leave(tag)
        elif tag == "-text":
            yield from walk.say(node, node.text_content or "")
        elif tag[:1] not in "-!":
            own = node.attributes if tag != "br" else {}
            if tag in BLOCKS:
                yield from walk.flush()
            if name := own.get("id") or (own.get("name") if tag == "a" else None):
                walk.ids.append(name)
            if walk.skips(node, tag, own, page):
                continue
            yield from walk.enter(node, tag)
            stack.append((node, False))
            stack.extend((child, True) for child in reversed(list(node.iter(include_text=True))))
    yield from walk.flush()
    if last is not None:
        last.extend(walk.ids)


class _Walk:
    """What is gathered of the block at hand."""

    def __init__(self, left: Counter[tuple[str, str]]) -> None:
        self.left = left
        self.ids: list[str] = []
        self._parts: list[str] = []
        self._nodes: list[LexborNode] = []
        self._shares: list[str] = []
        self._breaks: list[LexborNode] = []
        self._ends: list[LexborNode] = []  # line breaks that no word has followed yet
        self._bare = True  # nothing but white space since the last line break; in a row, since it began
        self._depth = 0
        self._exact = 0  # inside <pre>
        self._row = 0  # inside a row of a table whose cells are lines

    def skips(self, node: LexborNode, tag: str, own: dict[str, str | None], page: bool) -> bool:
        """Whether ``node`` holds no text of the book."""
        if tag in _SILENT:
            self.left[RUBY] += tag == "rt"
            self.left[IMAGES] += tag == "svg"
            self.left[HIDDEN] += tag in _WORDY and _speaks(node)
            return True
        if tag == "img":
            letter = (own.get("alt") or "").strip()
            if len(letter) == 1 and letter.isalpha():  # an initial
                self._parts.append(letter)
            else:
                self.left[IMAGES] += 1
            return True
        if not own and not (page and tag in ("nav", "footer")):
            return False
        if "hidden" in own or _HIDDEN.search(own.get("style") or ""):
            self.left[HIDDEN] += _speaks(node)
            return True
        said = " ".join(own.get(name) or "" for name in ("class", "role", "epub:type"))
        if said and _PAGE_TYPE.search(said) and _is_page_number(node, tag):
            self.left[PAGES] += 1
            return True
        if tag == "a" and _is_note_mark(node, said):
            self.left[NOTES] += 1
            return True
        if page and (tag in ("nav", "footer") or own.get("role") in ("navigation", "contentinfo", "search")):
            self.left[NAVIGATION] += 1
            return True
        return False

    def enter(self, node: LexborNode, tag: str) -> Iterator[Block]:
        """Open an element; yields what it ends: two line breaks in a row end a paragraph."""
        if self._row:
            self._row += 1
        elif tag == "tr" and node.css_first(_LAYOUT) is None:
            self._row = 1
        if tag == "br":
            if self._bare and not self._row:
                yield from self._close()
            self._parts.append(" " if self._row else "\n")
            self._ends.append(node)
            self._bare = self._bare if self._row else True  # in a row: nothing said in it yet
        elif tag in ("td", "th") and self._row and not self._bare:
            self._parts.append(" | ")
        elif tag in _HEADINGS:
            self._depth = self._depth or _HEADINGS[tag]
        elif tag == "pre":
            self._exact += 1

    def leave(self, tag: str) -> Iterator[Block]:
        """Close an element; yields what it ends."""
        if self._row:
            self._row -= 1
        if tag in BLOCKS:
            yield from self.flush()
        if tag in _HEADINGS:
            self._depth = 0
        elif tag == "pre":
            self._exact -= 1

    def say(self, node: LexborNode, text: str) -> Iterator[Block]:
        """Take the words of a text node; yields the paragraphs that blank lines in <pre> part."""
        if not self._exact:
            text = INNER.sub(" ", text)
        elif not self._row:
            *done, text = _BLANK.split(text)
            for part in done:
                self._take(node, part)
                yield from self._close()
        self._take(node, text)

    def _take(self, node: LexborNode, text: str) -> None:
        self._parts.append(text)
        self._nodes.append(node)
        self._shares.append(text)
        if text and not text.isspace():
            self._bare = False
            if self._parts[:-1]:
                self._breaks += self._ends
            self._ends = []

    def flush(self) -> Iterator[Block]:
        """The block gathered so far, unless it is blank; while a row goes on a space ends it."""
        if not self._row:
            yield from self._close()
        elif not self._bare and self._parts[-1] != " ":
            self._parts.append(" ")

    def _close(self) -> Iterator[Block]:
        text = "".join(self._parts)
        if text and not text.isspace():
            yield Block(text, self._depth, self.ids, self._nodes, self._breaks, self._shares)
            self.ids = []
        self._parts, self._nodes, self._shares, self._bare = [], [], [], True
        self._breaks, self._ends = [], []


def _is_page_number(node: LexborNode, tag: str) -> bool:
    """Whether an element that is marked as the beginning of a page says no more than its number.

    A heading or a chapter that begins there may be marked so too; what stands in a line is a number.
    """
    said = _short(node)
    if said is None or tag in _HEADINGS or node.css_first(_TITLES) is not None:
        return False
    return bool(_PAGE.fullmatch(said)) or (tag not in BLOCKS and len(said) < 20)


def _is_note_mark(node: LexborNode, said: str) -> bool:
    """Whether a link is the mark of a note, or leads back from one."""
    if "#" not in (node.attributes.get("href") or ""):
        return False
    text = (_short(node) or "").strip()
    if len(text) > 8 or (text and not _NOTE_MARK.fullmatch(text)):
        return False
    raised = any(at.tag == "sup" for at in around(node)) or node.css_first("sup") is not None
    return bool(text) and (raised or bool(_NOTE_TYPE.search(said)) or text[0] in _BRACKETED)


def around(node: LexborNode) -> Iterator[LexborNode]:
    """The elements of a line that ``node`` stands in, the innermost first."""
    at = node.parent
    while at is not None and (at.tag or "") not in BLOCKS:
        yield at
        at = at.parent


def _short(node: LexborNode) -> str | None:
    """The text of a small element; None for a large one, which is not looked through."""
    nodes = list(itertools.islice(node.traverse(include_text=True), _SMALL + 1))
    if len(nodes) > _SMALL:
        return None
    return "".join(child.text_content or "" for child in nodes if child.tag == "-text")


def _speaks(node: LexborNode) -> bool:
    """Whether there are words in an element."""
    return any(
        child.tag == "-text" and (child.text_content or "").strip()
        for child in node.traverse(include_text=True)
    )


def decoded(content: bytes, damage: Damage | None = None) -> str:
    """The text of a page inside a container: by its mark or its declaration, else as UTF-8 or what it is.

    ``damage`` is told how many characters there are and how many cannot be decoded.
    """
    stated = charset.declared(content)
    mark, codec = b"", stated.codec if stated else "utf-8"
    for known in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if content.startswith(known[0]):
            mark, codec = known
    content = content.removeprefix(mark)
    text = content.decode(codec, "replace")
    if not (stated or mark) and text.count("\ufffd") * TOO_MANY > len(text):  # it is no UTF-8
        with suppress(InputError):
            codec = charset.guessed("", content).codec
            text = content.decode(codec, "replace")
    if damage and "\ufffd" in text:
        own = "\ufffd".encode(codec, "ignore")  # those that the page itself holds are no damage
        damage.count += max(text.count("\ufffd") - (content.count(own) if own else 0), 0)
    if damage:
        damage.characters += len(text)
    return text
