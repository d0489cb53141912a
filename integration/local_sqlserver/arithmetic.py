"""Arithmetic, concatenation and bits as Python source.

Precision and scale: https://learn.microsoft.com/sql/t-sql/data-types/precision-scale-and-length-transact-sql
"""

from __future__ import annotations

from . import nodes as n
from . import numbers
from . import sqltypes as t
from .code import Value
from .conversions import cutter
from .scopes import Scope
from .values import MAX, SqlError, SqlType


def divided(a: int, b: int) -> int:
    """Towards zero; 8134 by zero."""
    if b == 0:
        raise SqlError(8134, "Divide by zero error encountered.")
    quotient = a // b
    return quotient + 1 if quotient < 0 and quotient * b != a else quotient


def remainder(a: int, b: int) -> int:
    return a - divided(a, b) * b


def quotient(a: float, b: float) -> float:
    if b == 0:
        raise SqlError(8134, "Divide by zero error encountered.")
    return a / b


def finite(value: float) -> float:
    if value - value != 0:
        raise numbers.overflow("expression", "float")
    return value


class Arithmetic:
    """The operators between values."""

    def _unary(self, node: n.Unary, scope: Scope) -> Value:
        operand = node.operand
        if node.operator == "-" and isinstance(operand, n.Literal) and operand.kind == "integer" and int(operand.text) == 1 << 31:
            # SQL Server reads the number first, which is no int, and then its sign.
            return self.constant(-(1 << 31), t.decimal(10, 0, "numeric"))
        value = self.expression(operand, scope)
        name = value.type.name
        if value.null:
            return value
        if node.operator == "~":
            if name == "bit":
                return self.apply("not {}", t.BIT, value)
            if name not in t.INTEGERS:
                raise self._invalid(value, "'~'")
            return self.apply("{} ^ 255" if name == "tinyint" else "~{}", value.type, value)
        if name not in t.NUMERIC or name == "bit":
            if node.operator == "+":
                return value
            raise self._invalid(value, "minus")
        if node.operator == "+":
            return value
        if value.constant:
            return self._negated(value)
        type_ = t.SMALLINT if name == "tinyint" else value.type
        return self._checked("-{}", type_, value)

    def _negated(self, value: Value) -> Value:
        if value.literal is None:
            return value
        type_ = t.SMALLINT if value.type.name == "tinyint" else value.type
        return self.constant(-value.literal, type_)  # type: ignore[operator]

    def _invalid(self, value: Value, operator: str) -> SqlError:
        return SqlError(8117, f"Operand data type {value.type.name} is invalid for {operator} operator.")

    def _binary(self, node: n.Binary, scope: Scope) -> Value:
        # A chain of the same operator is long in concatenations: no recursion for it.
        chain = [node]
        while isinstance(chain[-1].left, n.Binary):
            chain.append(chain[-1].left)
        value = self.expression(chain[-1].left, scope)
        for link in reversed(chain):
            if scope.replaced is not None and link is not node:
                from .scopes import canonical

                known = scope.replaced.get(canonical(link, scope))
                if known is not None:
                    value = known
                    continue
            value = self.operate(link.operator, value, self.expression(link.right, scope))
        return value

    def operate(self, operator: str, left: Value, right: Value) -> Value:
        if left.null and right.null:
            return left
        if left.null or right.null:
            known = right if left.null else left
            left, right = (Value("None", known.type, True, True, None), known) if left.null else (known, Value("None", known.type, True, True, None))  # fmt: skip
        a, b = left.type.name, right.type.name
        if operator == "+" and (a in t.TEXT and b in t.TEXT or a in t.BINARY and b in t.BINARY):
            return self._concatenated(left, right)
        if operator in "&|^":
            return self._bits(operator, left, right)
        for value in (left, right):
            if value.type.name in ("text", "ntext", "image", "xml", "uniqueidentifier", "sql_variant") or value.type.name in t.CLR:
                raise self._invalid(value, _WORDS[operator])
        if a in t.TEMPORAL or b in t.TEMPORAL:
            return self._moments(operator, left, right)
        target = t.common(left.type, right.type)
        if target.name in t.TEXT or target.name in t.BINARY:
            if a in t.TEXT or b in t.TEXT:
                if operator == "+":
                    return self._concatenated(*self.alike(left, right))
                raise SqlError(402, f"The data types {a} and {b} are incompatible in the {_WORDS[operator]} operator.")
            raise SqlError(402, f"The data types {a} and {b} are incompatible in the {_WORDS[operator]} operator.")
        if target.name == "bit":
            raise self._invalid(left, _WORDS[operator])
        if target.name in t.EXACT:
            return self._decimals(operator, self._exact(left, target), self._exact(right, target))
        left, right = (self.convert(v, target, explicit=False) for v in (left, right))
        if target.name in t.APPROXIMATE:
            return self._floats(operator, target, left, right)
        if target.name in t.MONEY:
            return self._money(operator, target, left, right)
        if operator == "/":
            return self._checked(f"{self.code.constant(divided)}({{}}, {{}})", target, left, right)
        if operator == "%":
            return self.apply(f"{self.code.constant(remainder)}({{}}, {{}})", target, left, right)
        return self._checked(f"{{}} {operator} {{}}", target, left, right)

    def _checked(self, form: str, type_: SqlType, *values: Value) -> Value:
        """An integer's range is checked where it is made; all else is left as it is."""
        if type_.name not in t.INTEGERS:
            return self.apply(form, type_, *values)
        low, high = t.INTEGERS[type_.name]
        result = self.apply(form, type_, *values)
        test = f"not {low} <= {result.code} <= {high}"
        if result.nullable:
            test = f"{result.code} is not None and {test}"
        if result.code != "None":
            self.code.line(f"if {test}: {self.code.constant(_overflown)}({type_.name!r})")
        return result

    def _exact(self, value: Value, target: SqlType) -> Value:
        name = value.type.name
        if name in t.EXACT:
            return value
        if value.constant and name in t.INTEGERS and value.literal is not None:
            return self.constant(value.literal, t.decimal(len(str(abs(value.literal))), 0))  # type: ignore[arg-type]
        if name in t.TEXT or name in t.BINARY:
            return self.convert(value, target, explicit=False)
        return self.convert(value, t.as_decimal(value.type))

    def _decimals(self, operator: str, left: Value, right: Value) -> Value:
        p1, s1, p2, s2 = left.type.precision, left.type.scale, right.type.precision, right.type.scale
        if operator == "*":
            precision, scale = p1 + p2 + 1, s1 + s2
            kept = _reduced(precision, scale)
            cut = s1 + s2 - kept
            form = f"{{}} * {{}}" if not cut else f"{self.code.constant(numbers.rescale)}({{}} * {{}}, {scale}, {kept})"
            return self._decimal(form, min(precision, 38), kept, precision, left, right)
        if operator == "/":
            scale = max(6, s1 + p2 + 1)
            precision = p1 - s1 + s2 + scale
            kept = _reduced(precision, scale)
            factor = 10 ** max(kept + s2 - s1, 0)
            under = 10 ** max(s1 - kept - s2, 0)
            form = f"{self.code.constant(divided)}({{}} * {factor}, {{}} * {under})"
            return self._decimal(form, min(precision, 38), kept, 39, left, right)
        scale = max(s1, s2)
        if operator == "%":
            precision = min(p1 - s1, p2 - s2) + scale
            form = f"{self.code.constant(remainder)}({{}} * {10 ** (scale - s1)}, {{}} * {10 ** (scale - s2)})"
            return self._decimal(form, max(min(precision, 38), 1), scale, 0, left, right)
        precision = max(p1 - s1, p2 - s2) + scale + 1
        kept = scale if precision <= 38 else max(min(scale, 38 - max(p1 - s1, p2 - s2)), 0)
        factors = ["" if s == scale else f" * {10 ** (scale - s)}" for s in (s1, s2)]
        form = f"{{}}{factors[0]} {operator} {{}}{factors[1]}"
        if kept != scale:
            form = f"{self.code.constant(numbers.rescale)}({form}, {scale}, {kept})"
        return self._decimal(form, min(precision, 38), kept, precision, left, right)

    def _decimal(self, form: str, precision: int, scale: int, full: int, *values: Value) -> Value:
        type_ = t.decimal(precision, scale, "numeric")
        result = self.apply(form, type_, *values)
        if full > 38 and result.code != "None":
            test = f"not {1 - 10**38} <= {result.code} <= {10**38 - 1}"
            if result.nullable:
                test = f"{result.code} is not None and {test}"
            self.code.line(f"if {test}: {self.code.constant(_overflown)}('numeric')")
        return result

    def _floats(self, operator: str, target: SqlType, left: Value, right: Value) -> Value:
        if operator == "%":
            raise SqlError(402, "The data types float and float are incompatible in the modulo operator.")
        form = f"{{}} {operator} {{}}" if operator != "/" else f"{self.code.constant(quotient)}({{}}, {{}})"
        check = self.code.constant(numbers.single if target.name == "real" else finite)
        return self.apply(f"{check}({form})", target, left, right)

    def _money(self, operator: str, target: SqlType, left: Value, right: Value) -> Value:
        check = self.code.constant(_money_check(target))
        forms = {
            "*": f"{self.code.constant(numbers.rescale)}({{}} * {{}}, 8, 4)",
            "/": f"{self.code.constant(divided)}({{}} * 10000, {{}})",
            "%": f"{self.code.constant(remainder)}({{}}, {{}})",
        }
        return self.apply(f"{check}({forms.get(operator, f'{{}} {operator} {{}}')})", target, left, right)

    def _moments(self, operator: str, left: Value, right: Value) -> Value:
        names = left.type.name, right.type.name
        if operator not in "+-" or not all(n in ("datetime", "smalldatetime") or n in t.NUMERIC or n in t.TEXT for n in names):
            if set(names) & {"date", "time", "datetime2", "datetimeoffset"} and set(names) & t.NUMERIC:
                raise SqlError(206, f"Operand type clash: {names[0]} is incompatible with {names[1]}")
            raise SqlError(402, f"The data types {names[0]} and {names[1]} are incompatible in the {_WORDS[operator]} operator.")
        target = t.DATETIME if "datetime" in names else t.make("smalldatetime")
        left, right = (self.convert(v, target, explicit=False) for v in (left, right))
        return self.apply(f"{{}} {operator} {{}}", target, left, right)

    def _bits(self, operator: str, left: Value, right: Value) -> Value:
        names = left.type.name, right.type.name
        if names[0] in t.BINARY and names[1] in t.BINARY or not all(
            n in t.INTEGERS or n == "bit" or n in t.BINARY for n in names
        ):
            raise SqlError(402, f"The data types {names[0]} and {names[1]} are incompatible in the '{operator}' operator.")
        if "bit" in names and len(set(names)) == 1:
            return self.apply(f"bool({{}} {operator} {{}})", t.BIT, left, right)
        target = left.type if names[1] in t.BINARY else right.type if names[0] in t.BINARY else t.common(left.type, right.type)
        left, right = (self.convert(v, target) for v in (left, right))
        return self.apply(f"{{}} {operator} {{}}", target, left, right)

    def _concatenated(self, left: Value, right: Value) -> Value:
        """https://learn.microsoft.com/sql/t-sql/language-elements/string-concatenation-transact-sql: what is longer than
        8,000 bytes is cut, unless a side is (max)."""
        for value in (left, right):
            if value.type.name in ("text", "ntext", "image"):
                raise SqlError(402, f"The data types {left.type.name} and {right.type.name} are incompatible in the add operator.")
        if left.type.name in t.BINARY:
            lengths = left.type.length, right.type.length
            type_ = t.binary(MAX) if MAX in lengths else t.binary(min(sum(lengths), 8000))
            form = "{} + {}" if MAX in lengths or sum(lengths) <= 8000 else "({} + {})[:8000]"
            return self.apply(form, type_, left, right)
        winner = self.collation_of((left, right))
        collation = winner.type.collation or self.collation
        wide = left.type.name in t.WIDE or right.type.name in t.WIDE
        sizes = t.characters(left.type), t.characters(right.type)
        limit = 4000 if wide else 8000
        length = MAX if MAX in sizes else min(sum(sizes), limit)
        type_ = t.text(length, wide, collation)
        sides = []
        for value in (left, right):
            size = t.characters(value.type)
            target = t.text(size, wide, collation)
            sides.append(value if value.type.name in t.WIDE else self.convert(value, target))
        form = f"{self.code.constant(_joined)}({{}}, {{}})" if wide else "{} + {}"
        if MAX not in sizes and sum(sizes) > limit:
            form = f"{self.code.constant(cutter(type_, True))}({form})"
        from dataclasses import replace

        return replace(self.apply(form, type_, *sides), rank=winner.rank)


def _joined(left: str, right: str) -> str:
    """Two halves of a character that meet are one."""
    if left and right and "\ud800" <= left[-1] <= "\udbff" and "\udc00" <= right[0] <= "\udfff":
        pair = (left[-1] + right[0]).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        return left[:-1] + pair + right[1:]
    return left + right


def _reduced(precision: int, scale: int) -> int:
    if precision <= 38:
        return scale
    return max(min(scale, 38 - (precision - scale)), min(scale, 6))


def _overflown(name: str) -> None:
    raise numbers.overflow("expression", name)


def _money_check(target: SqlType):
    return lambda value: numbers.money(value, target)


_WORDS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide", "%": "modulo", "&": "'&'", "|": "'|'", "^": "'^'"}
