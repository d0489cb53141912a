"""Conversions to hierarchyid, geometry, geography, xml and sql_variant, and from them."""

from __future__ import annotations

from collections.abc import Callable
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from . import clr
from . import sqltypes as t
from .values import SqlError, SqlType, Udt, Variant


def to_clr(source: SqlType, target: SqlType) -> Callable:
    kind = target.name
    if source.name in t.TEXT:
        if kind == "hierarchyid":
            return clr.hierarchy
        return lambda value: clr.spatial(kind, value, 0 if kind == "geometry" else 4326)
    return lambda value: clr.from_bytes(kind, value)


def from_clr(target: SqlType, converter: Callable) -> Callable:
    if target.name in t.BINARY:
        rest = converter(t.binary(-1), target)
        return lambda value: value.data if rest is None else rest(value.data)
    rest = converter(t.text(-1), target)
    return lambda value: value.text if rest is None else rest(value.text)


def from_variant(target: SqlType, style: int | None, converter: Callable) -> Callable:
    def convert(value: Variant):
        rest = converter(value.type, target, style)
        return value.value if rest is None else rest(value.value)

    return convert


class _Writer:
    """Writes a document again as SQL Server keeps it: without declaration, CDATA and blanks between elements."""

    def __init__(self, keep_blanks: bool):
        self.out: list[str] = []
        self.pending = ""
        self.open = False
        self.preserved = [keep_blanks]

    def _close(self) -> None:
        if self.open:
            self.out.append(">")
            self.open = False

    def _flush(self) -> None:
        text, self.pending = self.pending, ""
        if text and (text.strip(" \t\r\n") or self.preserved[-1]):
            self._close()
            self.out.append(escape(text).replace("\r", "&#x0D;"))

    def start(self, name: str, attributes: list[str]) -> None:
        self._flush()
        if name == _ROOT:
            return
        self._close()
        pairs = list(zip(attributes[::2], attributes[1::2], strict=True))
        self.preserved.append(dict(pairs).get("xml:space", "preserve" if self.preserved[-1] else "") == "preserve")
        self.out.append("<" + name + "".join(f" {k}={quoteattr(v, {chr(34): '&quot;'})}" for k, v in pairs))
        self.open = True

    def end(self, name: str) -> None:
        self._flush()
        if name == _ROOT:
            return
        self.preserved.pop()
        if self.open:
            self.out.append("/>")
            self.open = False
        else:
            self.out.append(f"</{name}>")

    def text(self, data: str) -> None:
        self.pending += data

    def comment(self, data: str) -> None:
        self._flush()
        self._close()
        self.out.append(f"<!--{data}-->")

    def instruction(self, target: str, data: str) -> None:
        self._flush()
        self._close()
        self.out.append(f"<?{target} {data}?>")


_ROOT = "r"


def to_xml(source: SqlType) -> Callable:
    """https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql, xml styles"""

    def convert(value):
        if isinstance(value, bytes):
            wide = value[:2] == b"\xff\xfe"
            value = value[2:].decode("utf-16-le", "surrogatepass") if wide else value.decode("utf-8", "replace")
        return normal_xml(value)

    return convert


def normal_xml(text: str) -> str:
    """Error 9400 for what is not well-formed. Fragments of several elements or of text alone are xml, too."""
    body = text.lstrip("\ufeff")
    if body.lstrip().startswith("<?xml"):
        body = body[body.index("?>") + 2 :] if "?>" in body else body
    writer = _Writer(False)
    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = writer.start, writer.end
    parser.CharacterDataHandler, parser.CommentHandler = writer.text, writer.comment
    parser.ProcessingInstructionHandler = writer.instruction
    try:
        parser.Parse(f"<{_ROOT}>{body}</{_ROOT}>".encode(), True)
    except expat.ExpatError as error:
        raise SqlError(9400, f"XML parsing: line {error.lineno}, character {error.offset}, {expat.ErrorString(error.code)}") from None
    except UnicodeEncodeError:
        raise SqlError(9420, "XML parsing: line 1, character 1, illegal xml character") from None
    return "".join(writer.out)


__all__ = ["Udt", "from_clr", "from_variant", "normal_xml", "to_clr", "to_xml"]
