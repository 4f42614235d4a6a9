"""XML documents from outside: bytes in, a safe element tree or a `MarkupError` out, whatever the bytes are.

Nothing is ever resolved: a document type declaration is refused before the parser sees the text, there is no
network, and size, depth and number of elements are bounded.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Set
from typing import Literal
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32
MAX_ELEMENTS = 2000

MarkupKind = Literal["empty", "too-large", "encoding", "doctype", "malformed", "too-deep", "too-many"]

XML_NAMESPACE = "{http://www.w3.org/XML/1998/namespace}"
_UNDECLARED_PREFIX = 201  # libxml2: XML_NS_ERR_UNDEFINED_NAMESPACE
_DECLARATION = re.compile(r"<\?xml\s[^>]*?\?>")
_DECLARED_ENCODING = re.compile(rb"""\A<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_BARE_AMPERSAND = re.compile(r"&(?!(?:#[0-9]+|#[xX][0-9a-fA-F]+|amp|lt|gt|quot|apos);)")
# Python codecs that are no character encodings of documents, or slow on hostile input.
_NO_ENCODINGS = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"})
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class MarkupError(Exception):
    """A document that cannot be used: `kind` for the dialect's code, `message` for people, `line` from 1."""

    def __init__(self, kind: MarkupKind, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.kind: MarkupKind = kind
        self.message = message
        self.line = line


def parse(
    data: bytes,
    *,
    charset: str | None = None,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_elements: int = MAX_ELEMENTS,
    tolerate_ampersands: bool = False,
) -> etree._Element:
    """The root element, comments and processing instructions left out.

    A byte order mark, then `charset` (of the Content-Type), then the XML declaration, then UTF-8 says how
    the bytes are read (RFC 7303 section 3). `tolerate_ampersands` takes an `&` that begins no reference as
    itself.
    Namespace prefixes need not be declared; see `local_name`.

    Raises:
        MarkupError: for everything else; never another exception.
    """
    if len(data) > max_bytes:
        raise MarkupError("too-large", f"the document has {len(data)} bytes, {max_bytes} are allowed")
    if not data.strip():
        raise MarkupError("empty", "the document is empty")
    text = _without_declaration(_decode(data, charset))
    _refuse_doctype(text)
    if tolerate_ampersands:
        text = _escape_ampersands(text)
    root = _tree(text)
    _check_shape(root, max_depth, max_elements)
    return root


def local_name(element: etree._Element) -> str:
    """The tag without namespace and prefix."""
    tag = str(element.tag)
    return tag.rpartition("}")[2].rpartition(":")[2]


def line_of(element: etree._Element) -> int | None:
    """The line on which the element starts."""
    line = element.sourceline
    return line if isinstance(line, int) else None


def attributes(element: etree._Element) -> dict[str, str]:
    """The attributes without a namespace, by name, in order; `xml:…` ones keep their prefix."""
    found = {}
    for name, value in element.attrib.items():
        text = str(name).replace(XML_NAMESPACE, "xml:")
        if not text.startswith("{"):
            found[text] = str(value)
    return found


def children(element: etree._Element) -> Iterator[etree._Element]:
    """The child elements in order."""
    for child in element:
        if isinstance(child.tag, str):
            yield child


def text_of(element: etree._Element) -> str:
    """All text below the element, white space collapsed and trimmed."""
    return " ".join("".join(str(part) for part in element.itertext()).split())


def own_text(element: etree._Element) -> str:
    """The text directly in the element, not that of its children, white space collapsed and trimmed."""
    parts = [element.text or "", *(child.tail or "" for child in element)]
    return " ".join("".join(parts).split())


def has_children(element: etree._Element) -> bool:
    """Whether there is any child element."""
    return next(children(element), None) is not None


def ssml(element: etree._Element, allowed: Set[str]) -> tuple[str, tuple[str, ...]]:
    """What is inside the element as an SSML document, and the names of the elements that were left out.

    Elements not in `allowed` (local names) are replaced by what they hold.
    """
    unknown: list[str] = []
    parts = [escape(element.text or "")]
    for child in children(element):
        parts.append(_ssml(child, allowed, unknown))
        parts.append(escape(child.tail or ""))
    return f"<speak>{''.join(parts).strip()}</speak>", tuple(dict.fromkeys(unknown))


def _ssml(element: etree._Element, allowed: Set[str], unknown: list[str]) -> str:
    name = local_name(element)
    inner = [escape(element.text or "")]
    for child in children(element):
        inner.append(_ssml(child, allowed, unknown))
        inner.append(escape(child.tail or ""))
    held = "".join(inner)
    if name not in allowed:
        unknown.append(name)
        return held
    given = "".join(f" {key}={quoteattr(value)}" for key, value in attributes(element).items())
    return f"<{name}{given}>{held}</{name}>" if held else f"<{name}{given}/>"


def _decode(data: bytes, charset: str | None) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    declared = _DECLARED_ENCODING.match(data)
    for name in (charset, declared[1].decode("ascii") if declared else None):
        if name:
            return _decoded(data, name)
    return _decoded(data, "utf-8")


def _decoded(data: bytes, encoding: str) -> str:
    try:
        codec = codecs.lookup(encoding).name
        if codec in _NO_ENCODINGS:
            raise LookupError(encoding)
        return data.decode(codec)
    except LookupError:
        raise MarkupError("encoding", f"the encoding {encoding!r} is not known") from None
    except UnicodeError as error:
        raise MarkupError("encoding", f"the document is not {encoding}: {error}") from None


def _without_declaration(text: str) -> str:
    # It has done its work; its line breaks stay, so that line numbers hold.
    declaration = _DECLARATION.match(text)
    if declaration is None:
        return text
    return "\n" * declaration[0].count("\n") + text[declaration.end() :]


def _refuse_doctype(text: str) -> None:
    """A document type declaration can only stand before the root, among comments and instructions."""
    at = 0
    while True:
        while at < len(text) and text[at].isspace():
            at += 1
        if text.startswith("<!--", at):
            end = text.find("-->", at + 4)
        elif text.startswith("<?", at):
            end = text.find("?>", at + 2)
        else:
            break
        if end < 0:
            return  # malformed; the parser says so
        at = text.index(">", end) + 1
    if text[at : at + 2] == "<!":
        line = text.count("\n", 0, at) + 1
        raise MarkupError("doctype", "a document type declaration is not allowed", line)


def _escape_ampersands(text: str) -> str:
    """In character data, an & is itself already."""
    first, *rest = text.split(_CDATA)
    parts = [_BARE_AMPERSAND.sub("&amp;", first)]
    for part in rest:
        data, end, markup = part.partition(_CDATA_END)
        parts += [_CDATA, data, end, _BARE_AMPERSAND.sub("&amp;", markup)]
    return "".join(parts)


def _parser(recover: bool) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )


_STRICT = _parser(recover=False)


def _tree(text: str) -> etree._Element:
    data = text.encode("utf-8", "surrogatepass")
    try:
        return etree.fromstring(data, _STRICT)
    except etree.XMLSyntaxError as error:
        root = _with_undeclared_prefixes(data) if getattr(error, "code", None) == _UNDECLARED_PREFIX else None
        if root is not None:
            return root
        message = str(error.msg or "the document is not well-formed").strip()
        raise MarkupError("malformed", message, error.lineno) from None


def _with_undeclared_prefixes(data: bytes) -> etree._Element | None:
    """Speech markup in the wild uses vendors' prefixes undeclared: forgive that, and only that."""
    parser = _parser(recover=True)
    root = etree.fromstring(data, parser)
    if root is None or any(entry.type != _UNDECLARED_PREFIX for entry in parser.error_log):
        return None
    return root


def _check_shape(root: etree._Element, max_depth: int, max_elements: int) -> None:
    count, level = 0, [root]
    depth = 0
    while level:
        depth += 1
        count += len(level)
        if depth > max_depth:
            raise MarkupError(
                "too-deep", f"elements are nested more than {max_depth} deep", line_of(level[0])
            )
        if count > max_elements:
            raise MarkupError("too-many", f"the document has more than {max_elements} elements")
        level = [child for element in level for child in children(element)]
