"""What the values of a text column look like: times, numbers, ids, and how many are missing."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from features.ingest.normalise import MISSING

_ISO = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?\s?(Z|UTC|[+-]\d{2}:?(\d{2})?)?)?"
)
_COMPACT = re.compile(r"(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_EPOCH = re.compile(r"1\d{9}(\d{3})?")
_PARTED = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})(.*)")
_YEAR_FIRST = re.compile(r"\d{4}([/.-])\d{1,2}\1\d{1,2}(.*)")
_DAY_MONTH_NAME = re.compile(r"\d{1,2}([ -])([A-Za-z]{3,9})\1(\d{4})(.*)")
_MONTH_NAME_DAY = re.compile(r"([A-Za-z]{3,9}) \d{1,2}(,?) \d{4}(.*)")
_CLOCK = re.compile(r"(,?[ T])\d{1,2}:\d{2}(:\d{2})?(\.\d+)?( ?[AaPp][Mm])?")

_SIGNS = {
    "RP": "IDR",
    "US$": "USD",
    "S$": "SGD",
    "RM": "MYR",
    "$": "USD",
    "£": "GBP",
    "€": "EUR",
    "¥": "JPY",
    "₹": "INR",
    "฿": "THB",
    **{code: code for code in ("IDR", "USD", "GBP", "EUR", "SGD", "MYR")},
}
_MARK = "|".join(re.escape(sign) for sign in _SIGNS)
_SIGN = re.compile(rf"^(-?)\s*({_MARK})\.?\s*|\s*({_MARK})$", re.IGNORECASE)
_POINT = re.compile(r"-?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?(e[+-]?\d+)?", re.IGNORECASE)
_COMMA = re.compile(r"-?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?")
_THOUSANDS = re.compile(r"-?\d{1,3}(\.\d{3})+")
_FLOAT_ID = re.compile(r"\d+\.0+")
_YES_NO = frozenset(("0", "1", "true", "false", "yes", "no", "y", "n", "t", "f", "ya", "tidak"))


@dataclass(frozen=True)
class TimeShape:
    """The commonest way a column writes times; `{a}` and `{b}` are its day and month, unordered."""

    template: str
    share: float
    parts: tuple[tuple[int, int], ...] = ()
    """The pairs that stand for day and month, in whichever order the file has them."""

    @property
    def is_iso(self) -> bool:
        """Whether these are ISO times, which need no format."""
        return self.template == "ISO"

    def format(self, *, day_first: bool) -> str | None:
        """The strptime format; None for ISO."""
        first, second = ("%d", "%m") if day_first else ("%m", "%d")
        return None if self.is_iso else self.template.format(a=first, b=second)


@dataclass(frozen=True)
class DateOrder:
    """Whether the day or the month comes first, and how that was decided."""

    day_first: bool
    certain: bool
    why: str


@dataclass(frozen=True)
class Profile:
    """One sampled column: its filled-in values and what they could be."""

    name: str
    rows: int
    values: tuple[str, ...]
    time: TimeShape | None

    @property
    def missing(self) -> float:
        """Share of rows without a value."""
        return 1 - len(self.values) / self.rows if self.rows else 0.0

    @property
    def distinct(self) -> int:
        """Number of different values in the sample."""
        return len(set(self.values))

    @property
    def repeats(self) -> float:
        """How often a value occurs on average; 1 when all differ."""
        return len(self.values) / self.distinct if self.distinct else 0.0

    @property
    def currency(self) -> str | None:
        """Currency whose sign most values carry."""
        found = Counter(sign for value in self.values if (sign := _currency(value)))
        return found.most_common(1)[0][0] if found.total() * 2 > len(self.values) else None

    @property
    def has_float_ids(self) -> bool:
        """Whether ids were written by a program that took them for decimals (`13085.0`)."""
        return bool(self.values) and all(_FLOAT_ID.fullmatch(value) for value in self.values)

    @property
    def yes_no_share(self) -> float:
        """Share of values that say yes or no."""
        return _share(value.lower() in _YES_NO for value in self.values)

    @property
    def date_like_number(self) -> bool:
        """Whether the values would rather be dates or ids than amounts (`19970101`)."""
        return self.time is not None and self.time.template in ("%Y%m%d", "%s")

    def number_share(self, decimal: str) -> float:
        """Share of values that are numbers when `decimal` is the decimal sign."""
        return _share(_number(value, decimal) is not None for value in self.values)

    def numbers(self, decimal: str) -> list[float]:
        """The values that are numbers when `decimal` is the decimal sign."""
        read = (_number(value, decimal) for value in self.values)
        return [number for number in read if number is not None]


def profile(name: str, values: Iterable[str | None]) -> Profile:
    """Look at one column's sampled values."""
    listed = list(values)
    filled = tuple(v.strip() for v in listed if v is not None and v.strip().lower() not in MISSING)
    return Profile(name, len(listed), filled, _time_shape(filled))


def decimal_sign(columns: Sequence[Profile], *, indonesian: bool) -> tuple[str, bool]:
    """The decimal sign of a source and whether its values settle it.

    `1.500` alone could be one and a half or fifteen hundred: then the language of the headers
    or a rupiah sign decides, and the answer is not certain.
    """
    values = [_bare(value) for column in columns if column.time is None for value in column.values]
    only_point = sum(bool(_POINT.fullmatch(v)) and not _COMMA.fullmatch(v) for v in values)
    only_comma = sum(bool(_COMMA.fullmatch(v)) and not _POINT.fullmatch(v) for v in values)
    if only_point != only_comma:
        return (".", True) if only_point > only_comma else (",", True)
    thousands = sum(bool(_THOUSANDS.fullmatch(value)) for value in values)
    rupiah = any(column.currency == "IDR" for column in columns)
    if thousands:
        return ("," if indonesian or rupiah else "."), False
    return ".", True


def date_order(shapes: Sequence[TimeShape], *, day_first: bool) -> DateOrder:
    """Decide day-first or month-first from all dates of a source; `day_first` breaks a tie."""
    pairs = [pair for shape in shapes for pair in shape.parts]
    over_first = sum(first > 12 for first, _ in pairs)
    over_second = sum(second > 12 for _, second in pairs)
    if over_first != over_second:
        first_wins = over_first > over_second
        word, count = ("day", over_first) if first_wins else ("month", over_second)
        contrary = min(over_first, over_second)
        doubt = f", but {contrary:,} say the opposite" if contrary else ""
        why = f"{word}-first order: {count:,} of {len(pairs):,} fit no other{doubt}"
        return DateOrder(first_wins, contrary == 0, why)
    firsts, seconds = {first for first, _ in pairs}, {second for _, second in pairs}
    if (firsts == {1}) != (seconds == {1}):
        return DateOrder(firsts == {1}, True, "every date is the first of a month")
    word = "day" if day_first else "month"
    why = f"no part of any date is above 12, so {word}-first is only assumed: check one date"
    return DateOrder(day_first, not pairs, why if pairs else "dates say their order")


def middle(numbers: Sequence[float]) -> float:
    """The median; 0 for none."""
    return float(median(numbers)) if numbers else 0.0


def _share(flags: Iterable[bool]) -> float:
    listed = list(flags)
    return sum(listed) / len(listed) if listed else 0.0


def _bare(value: str) -> str:
    unsigned = _SIGN.sub(r"\1", value).strip()
    return f"-{unsigned[1:-1]}" if unsigned[:1] == "(" and unsigned[-1:] == ")" else unsigned


def _currency(value: str) -> str | None:
    match = _SIGN.search(value)
    return _SIGNS[(match[2] or match[3]).upper()] if match else None


def _number(value: str, decimal: str) -> float | None:
    bare = _bare(value)
    if decimal == ".":
        return float(bare.replace(",", "")) if _POINT.fullmatch(bare) else None
    fits = _COMMA.fullmatch(bare)
    return float(bare.replace(".", "").replace(",", ".")) if fits else None


def _time_shape(values: Sequence[str]) -> TimeShape | None:
    found = [shape for value in values if (shape := _shape(value))]
    if not found:
        return None
    commonest = Counter(template for template, _ in found).most_common(1)[0][0]
    alike = [pair for template, pair in found if template == commonest]
    return TimeShape(commonest, len(alike) / len(values), tuple(pair for pair in alike if pair))


def _shape(value: str) -> tuple[str, tuple[int, int] | None] | None:
    if match := _PARTED.fullmatch(value):
        year = "%Y" if len(match[4]) == 4 else "%y"
        template = _with_clock(f"{{a}}{match[2]}{{b}}{match[2]}{year}", match[5])
        return (template, (int(match[1]), int(match[3]))) if template else None
    template = _settled_template(value)
    return (template, None) if template else None


def _settled_template(value: str) -> str | None:
    """The format of a value whose day and month cannot be confused."""
    for pattern, template in ((_ISO, "ISO"), (_COMPACT, "%Y%m%d"), (_EPOCH, "%s")):
        if pattern.fullmatch(value):
            return template
    if match := _YEAR_FIRST.fullmatch(value):
        return _with_clock(f"%Y{match[1]}%m{match[1]}%d", match[2])
    if match := _DAY_MONTH_NAME.fullmatch(value):
        return _with_clock(f"%d{match[1]}{_month(match[2])}{match[1]}%Y", match[4])
    if match := _MONTH_NAME_DAY.fullmatch(value):
        return _with_clock(f"{_month(match[1])} %d{match[2]} %Y", match[3])
    return None


def _month(name: str) -> str:
    return "%b" if len(name) == 3 else "%B"


def _with_clock(day: str, rest: str) -> str | None:
    if not rest:
        return day
    match = _CLOCK.fullmatch(rest)
    if not match:
        return None
    hour, half = ("%I", match[4].replace(match[4].strip(), "%p")) if match[4] else ("%H", "")
    seconds = ":%S" if match[2] else ""
    fraction = ".%f" if match[3] else ""
    return f"{day}{match[1]}{hour}:%M{seconds}{fraction}{half}"
