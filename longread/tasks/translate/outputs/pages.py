"""A page of HTML with its paragraphs translated and all else as it was.

Knows where in the tree the words of a paragraph go, and how a tree is written as XHTML, or as
HTML. Walks the page with the reader's own ``markup.blocks``. Knows nothing of files.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from longread.reader.formats import markup
from longread.tasks.translate.outputs import place
from longread.tasks.translate.outputs.place import direction

_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_RAW = frozenset(("script", "style"))
_READINGS = frozenset(("rt", "rp", "rtc"))
_NAME = re.compile(r"[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?")
_SPACES = {
    "html": {"xmlns": "http://www.w3.org/1999/xhtml", "xmlns:epub": "http://www.idpf.org/2007/ops"},
    "svg": {"xmlns": "http://www.w3.org/2000/svg", "xmlns:xlink": "http://www.w3.org/1999/xlink"},
    "math": {"xmlns": "http://www.w3.org/1998/Math/MathML"},
}
_KNOWN = {name[6:]: space for own in _SPACES.values() for name, space in own.items() if name[:6] == "xmlns:"}
_RESERVED = ("", "http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_CDATA = re.compile(r"(<!\[CDATA\[|\]\]>)")
LINK = "↗"  # stands for a link whose words are somewhere in the translation


class Page:
    """A parsed page; ``blocks`` are its paragraphs as the reader counts them.

    ``xml`` says how it is written, ``web`` that it is a web page, with menus.
    """

    def __init__(self, tree: LexborHTMLParser, *, xml: bool, web: bool = False) -> None:
        self.tree, self._xml, self._web = tree, xml, web
        root = tree.body or tree.root
        self.blocks = list(markup.blocks(root, Counter(), page=web)) if root is not None else []
        self._prefixes = _prefixes(tree) if xml else {}
        self._owners = self._owned()
        self._texts: dict[tuple[int, int], str] = {}  # by node and block
        self._below: dict[tuple[int, int], str] = {}
        self._after: dict[int, str] = {}
        self._dropped: set[int] = set()
        self._opened: set[int] = set()  # elements of which only what is in them is written

    def _owned(self) -> dict[int, list[tuple[int, str]]]:
        """For each text node, and each element of a line, the blocks that it says something of, and what."""
        found: dict[int, list[tuple[int, str]]] = {}
        for number, block in enumerate(self.blocks):
            for node, share in zip(block.nodes, block.shares, strict=True):
                found.setdefault(node.mem_id, []).append((number, share))
                for at in markup.around(node):
                    held = found.setdefault(at.mem_id, [])
                    if not held or held[-1][0] != number:
                        held.append((number, ""))
        return found

    def put(self, number: int, text: str, *, layout: str, language: str) -> None:
        """Set ``text`` in the place of block ``number``, or below its words; of a row, in its cells."""
        block = self.blocks[number]
        cells: dict[int, list[LexborNode]] = {}
        spoken: dict[int, list[LexborNode]] = {}
        for node, share in zip(block.nodes, block.shares, strict=True):
            cell = _id(_cell(node))
            cells.setdefault(cell, []).append(node)
            if share.strip():
                spoken.setdefault(cell, []).append(node)
        parts = place.by_cells(block.text, text, len(spoken))
        if parts:
            sets = [
                (cells[cell], nodes, part) for (cell, nodes), part in zip(spoken.items(), parts, strict=True)
            ]
        else:
            sets = [(block.nodes, [node for nodes in spoken.values() for node in nodes] or block.nodes, text)]
        for nodes, said, part in sets:
            if said and layout == "bilingual":
                self._add(number, said[-1], part, language)
            elif said:
                self._replace(number, nodes, said, part)
        if layout != "bilingual":
            self._dropped |= {node.mem_id for node in block.breaks}

    def _add(self, number: int, last: LexborNode, text: str, language: str) -> None:
        """Set ``text`` below the words of block ``number`` that end in the text node ``last``."""
        span = f'<span class="translation"{_language(language, self._xml)}>{self._escaped(text)}</span>'
        below = ("<br/>" if self._xml else "<br>") + span
        if self._is_shared(last):
            self._below[last.mem_id, number] = below
        else:
            self._after[self._outermost(last).mem_id] = below

    def _replace(self, number: int, nodes: list[LexborNode], spoken: list[LexborNode], text: str) -> None:
        """Set ``text`` in the place of what ``nodes`` say in block ``number``; ``spoken`` have words."""
        # The words of one drop cap or one name in italics do not set the whole paragraph in them.
        main = min((node for node in spoken if _link(node) is None), key=_depth, default=spoken[0])
        links = {_id(_link(main))}
        for node in nodes:
            link = _link(node)
            new = LINK if link is not None and link.mem_id not in links else ""
            links.add(_id(link))
            self._texts[node.mem_id, number] = text if node.mem_id == main.mem_id else new
            self._unwrap(node)

    def _outermost(self, node: LexborNode) -> LexborNode:
        """The element of a line that holds ``node`` and no word of another paragraph."""
        above = node.parent
        while (
            above is not None
            and self._writes(above.tag or "")
            and len(self._owners.get(above.mem_id, ())) == 1
        ):
            node, above = above, above.parent
        return node

    def _is_shared(self, node: LexborNode) -> bool:
        """Whether a text node says more than its words in one block: another's, or blank lines in <pre>."""
        owners, whole = self._owners[node.mem_id], node.text_content or ""
        return len(owners) > 1 or owners[0][1] not in (whole, markup.INNER.sub(" ", whole))

    def _said(self, node: LexborNode) -> str:
        """The words of a text node, escaped: of each of its blocks, and what stands between them."""
        whole, owners = node.text_content or "", self._owners.get(node.mem_id, ())
        if not owners:
            return self._escaped(whole)
        if not self._is_shared(node):
            return self._escaped(self._texts.get((node.mem_id, owners[0][0]), whole))
        parts, at = [], 0
        for number, share in owners:
            start = whole.find(share, at)
            key = (node.mem_id, number)
            parts += [self._escaped(whole[at:start]), self._escaped(self._texts.get(key, share))]
            parts.append(self._below.get(key, ""))
            at = start + len(share)
        return "".join(parts) + self._escaped(whole[at:])

    def _unwrap(self, node: LexborNode) -> None:
        """Take away the ruby that ``node`` stands in: its readings are those of words that are gone."""
        for at in markup.around(node):
            if at.tag == "ruby" and at.mem_id not in self._opened:
                self._opened.add(at.mem_id)
                inner = [child for child in at.traverse() if child.tag in _READINGS]
                self._dropped |= {child.mem_id for child in inner}
            elif at.tag == "rb":
                self._opened.add(at.mem_id)

    def written(self, *, language: str, layout: str, title: str = "") -> str:
        """The whole page."""
        declaration = '<?xml version="1.0" encoding="utf-8"?>\n' if self._xml else ""
        body = "".join(self._parts(language, layout, title))
        return f"{declaration}<!DOCTYPE html>\n{body}\n"

    def _parts(self, language: str, layout: str, title: str) -> Iterator[str]:
        stack = [(self.tree.root, True)] if self.tree.root is not None else []
        while stack:
            node, entering = stack.pop()
            tag, after = node.tag or "", self._after.get(node.mem_id, "")
            if tag == "-text":
                raw = node.parent is not None and node.parent.tag in _RAW
                yield (self._raw(node) if raw else self._said(node)) + after
            elif tag[:1] in "-!" or node.mem_id in self._dropped:
                continue
            elif node.mem_id in self._opened or not self._writes(tag):
                stack.extend(_children(node))
            elif not entering:
                yield f"</{tag}>{after}"
            elif tag == "meta" and self._declares(node):
                continue
            elif tag in _VOID:
                end = "/>" if self._xml else ">"
                yield f"<{tag}{self._attributes(node, tag, language, layout)}{end}{after}"
            elif title and tag == "title" and node.parent is not None and node.parent.tag == "head":
                yield f"<title>{self._escaped(title)}</title>"
            else:
                yield f"<{tag}{self._attributes(node, tag, language, layout)}>"
                if tag == "head" and self._web:  # a browser may take it for HTML whatever it begins with
                    yield f'<meta charset="utf-8"{"/" if self._xml else ""}>'
                stack.append((node, False))
                stack.extend(_children(node))

    def _attributes(self, node: LexborNode, tag: str, language: str, layout: str) -> str:
        own = dict(node.attributes)
        if layout == "target":  # in the other each translation says its own
            for name in ("lang", "xml:lang", "dir"):
                own.pop(name, None)
        if self._xml:
            own = {name: value for name, value in own.items() if self._allowed(name)}
            own |= _SPACES.get(tag, {})
            if tag == "html":
                own |= {f"xmlns:{prefix}": space for prefix, space in self._prefixes.items()}
        said = "".join(f' {name}="{self._escaped(value or "")}"' for name, value in own.items())
        whole = tag == "html" and layout == "target"
        return said + (_language(language, self._xml) if whole else "")

    def _declares(self, node: LexborNode) -> bool:
        """Whether a ``meta`` says an encoding, which no longer holds, or in a way that is not an EPUB's."""
        own = node.attributes
        if self._web:
            return "charset" in own or (own.get("http-equiv") or "").lower() == "content-type"
        return "http-equiv" in own or (own.get("charset") or "utf-8").lower() != "utf-8"

    def _writes(self, tag: str) -> bool:
        """Whether an element can be called ``tag``: XML knows no prefix that is not declared."""
        prefix, colon, _ = tag.partition(":")
        return bool(_NAME.fullmatch(tag)) and (not self._xml or not colon or prefix in self._prefixes)

    def _allowed(self, name: str) -> bool:
        prefix, colon, _ = name.partition(":")
        known = not colon or prefix == "xml" or prefix in self._prefixes
        return bool(_NAME.fullmatch(name)) and prefix != "xmlns" and known

    def _raw(self, node: LexborNode) -> str:
        """What stands in a script or a style: the same for who reads the page as XML and as HTML."""
        text = node.text_content or ""
        if not self._xml:
            return text
        inside, parts = False, []
        for part in _CDATA.split(_NOT_XML.sub("", text)):
            if _CDATA.fullmatch(part):
                inside = part != "]]>"
            else:
                # A bare "<" is no XML: the page is read as HTML, where nothing stands for another sign.
                parts.append(part if inside or "<" in part else html.unescape(part))
        text = "".join(parts)
        if "<" not in text and "&" not in text:
            return text
        kind = (node.parent.attributes.get("type") or "javascript") if node.parent is not None else ""
        comments = "javascript" in kind or "css" in kind or kind == "module"  # others have none, such as JSON
        return f"/*<![CDATA[*/{text}/*]]>*/" if comments else f"<![CDATA[{text}]]>"

    def _escaped(self, text: str) -> str:
        return html.escape(_NOT_XML.sub("", text))


def _prefixes(tree: LexborHTMLParser) -> dict[str, str]:
    """The prefixes in use and the namespaces that they stand for, wherever the page declares them."""
    used: set[str] = set()
    declared: dict[str, str] = {}
    nodes = tree.root.traverse() if tree.root is not None else ()
    for node in nodes:
        own = node.attributes
        for name in (node.tag or "", *own):
            prefix, colon, rest = name.partition(":")
            if colon and prefix == "xmlns" and own.get(name) not in (None, *_RESERVED):
                declared.setdefault(rest, own[name] or "")
            elif colon and prefix not in ("xml", "xmlns") and _NAME.fullmatch(prefix):
                used.add(prefix)
    declared |= _KNOWN
    return {prefix: declared[prefix] for prefix in sorted(used) if prefix in declared}


def _children(node: LexborNode) -> list[tuple[LexborNode, bool]]:
    """What is in ``node``, the last first, as the stack of a walk wants it."""
    return [(child, True) for child in reversed(list(node.iter(include_text=True)))]


def _language(language: str, xml: bool) -> str:
    said = f' lang="{html.escape(language)}" dir="{direction(language)}"'
    return said + (f' xml:lang="{html.escape(language)}"' if xml else "")


def _depth(node: LexborNode) -> int:
    return sum(1 for _ in markup.around(node))


def _link(node: LexborNode) -> LexborNode | None:
    """The link that a text node stands in."""
    return next((at for at in markup.around(node) if at.tag == "a" and at.attributes.get("href")), None)


def _cell(node: LexborNode) -> LexborNode | None:
    """The cell of a table that a text node stands in."""
    at = node.parent
    while at is not None and at.tag not in ("td", "th"):
        at = at.parent
    return at


def _id(node: LexborNode | None) -> int:
    return node.mem_id if node is not None else 0
