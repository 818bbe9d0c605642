"""Conditions of the declarations, read from SQL into functions over columns of values.

Truth has three values, as in SQL: a comparison with a missing value is None, neither true nor
false. Read are AND, OR, NOT, parentheses, comparisons, IN, BETWEEN, IS NULL and arithmetic.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from features.aggregates import DeclarationError
from features.live.rows import Values

Columns = Mapping[str, Values]
Term = Callable[[Columns], Values]
"""One value for each row."""

_TOKEN = re.compile(r"'(?:[^']|'')*'|\d+(?:e\d+)?|\w+|<>|!=|<=|>=|[^\s]")
_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SUM: Mapping[str, Callable[[Any, Any], Any]] = {"+": operator.add, "-": operator.sub}


@lru_cache(maxsize=1024)
def condition(text: str) -> Term:
    """A function from fact columns to the truth of `text` for each row.

    Raises DeclarationError for SQL outside the subset above, and when called KeyError for a
    column that the facts lack.
    """
    return _Reader(text).whole()


class _Reader:
    """Reads one condition from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def whole(self) -> Term:
        term = self._either()
        if self._at < len(self._tokens):
            raise self._refused()
        return term

    def _either(self) -> Term:
        term = self._both()
        while self._take("OR"):
            term = _or(term, self._both())
        return term

    def _both(self) -> Term:
        term = self._negated()
        while self._take("AND"):
            term = _and(term, self._negated())
        return term

    def _negated(self) -> Term:
        return _not(self._negated()) if self._take("NOT") else self._comparison()

    def _comparison(self) -> Term:
        left = self._sum()
        if self._take("IS"):
            is_wanted = self._take("NOT")
            self._expect("NULL")
            return _is_known(left) if is_wanted else _is_missing(left)
        is_negated = self._take("NOT")
        if self._take("IN"):
            found = _is_in(left, self._literals())
        elif self._take("BETWEEN"):
            found = self._between(left)
        elif not is_negated and (sign := self._any_of(_COMPARE)):
            found = _pairwise(_COMPARE[sign], left, self._sum())
        elif is_negated:
            raise self._refused()
        else:
            return left
        return _not(found) if is_negated else found

    def _between(self, left: Term) -> Term:
        low = _pairwise(operator.ge, left, self._sum())
        self._expect("AND")
        return _and(low, _pairwise(operator.le, left, self._sum()))

    def _sum(self) -> Term:
        term = self._product()
        while sign := self._any_of(_SUM):
            term = _pairwise(_SUM[sign], term, self._product())
        return term

    def _product(self) -> Term:
        term = self._atom()
        while self._take("*"):
            term = _pairwise(operator.mul, term, self._atom())
        return term

    def _atom(self) -> Term:
        if self._take("("):
            term = self._either()
            self._expect(")")
            return term
        token = self._next()
        if token[0] == "'" or token[0].isdigit():
            return _Constant(_literal(token))
        if not token.isidentifier() or token.isupper():
            raise self._refused()
        return _column(token)

    def _literals(self) -> frozenset[Any]:
        self._expect("(")
        listed = [_literal(self._next())]
        while self._take(","):
            listed.append(_literal(self._next()))
        self._expect(")")
        return frozenset(listed)

    def _take(self, token: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at].upper() == token:
            self._at += 1
            return True
        return False

    def _any_of(self, tokens: Mapping[str, Any]) -> str:
        return next((token for token in tokens if self._take(token)), "")

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self._refused()

    def _next(self) -> str:
        if self._at == len(self._tokens):
            raise self._refused()
        token: str = self._tokens[self._at]
        self._at += 1
        return token

    def _refused(self) -> DeclarationError:
        near = " ".join(self._tokens[max(self._at - 2, 0) : self._at + 2])
        return DeclarationError(
            f"condition {self._text!r} is beyond the live path near {near!r}; write it with "
            "AND, OR, NOT, comparisons, IN, BETWEEN, IS NULL, +, - and *"
        )


def _literal(token: str) -> Any:
    return token[1:-1].replace("''", "'") if token[0] == "'" else int(float(token))


@dataclass(frozen=True)
class _Constant:
    """The same value for each row."""

    value: Any

    def __call__(self, columns: Columns) -> Values:
        return [self.value] * len(columns["ts"])


def _column(name: str) -> Term:
    return lambda columns: columns[name]


def _pairwise(of: Callable[[Any, Any], Any], left: Term, right: Term) -> Term:
    """Compare or reckon row by row; None where either side is missing."""
    if isinstance(right, _Constant):
        value = right.value
        return lambda columns: [None if a is None else of(a, value) for a in left(columns)]

    def pairs(columns: Columns) -> Values:
        both = zip(left(columns), right(columns), strict=True)
        return [None if a is None or b is None else of(a, b) for a, b in both]

    return pairs


def _is_in(term: Term, listed: frozenset[Any]) -> Term:
    return lambda columns: [None if v is None else v in listed for v in term(columns)]


def _is_missing(term: Term) -> Term:
    return lambda columns: [value is None for value in term(columns)]


def _is_known(term: Term) -> Term:
    return lambda columns: [value is not None for value in term(columns)]


def _not(term: Term) -> Term:
    return lambda columns: [None if truth is None else not truth for truth in term(columns)]


def _and(left: Term, right: Term) -> Term:
    def both(columns: Columns) -> Values:
        pairs = zip(left(columns), right(columns), strict=True)
        return [
            False if a is False or b is False else None if a is None or b is None else True
            for a, b in pairs
        ]

    return both


def _or(left: Term, right: Term) -> Term:
    def either(columns: Columns) -> Values:
        pairs = zip(left(columns), right(columns), strict=True)
        return [
            True if a is True or b is True else None if a is None or b is None else False
            for a, b in pairs
        ]

    return either
