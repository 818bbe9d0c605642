"""SQL that turns the text of a source into typed values: times, numbers, booleans, choices, ids."""

import re
from collections.abc import Mapping

from features.contracts import Column, Kind

MISSING = frozenset(
    ("", "nan", "nat", "null", "none", "n/a", "na", "-", "?", "\\n", "<na>", "#n/a")
)
"""Lower-case words that mean there is no value."""

_BETWEEN_WORDS = r"[\s/-]+"
_BLANKS = " \t\r\n\u00a0\u202f\u200b\ufeff"

_TRUE = ("1", "1.0", "true", "t", "yes", "y", "ya", "iya", "benar", "on", "oui", "ja", "si", "sí")
_FALSE = ("0", "0.0", "false", "f", "no", "n", "tidak", "tdk", "salah", "off", "non", "nein")

_SYNONYMS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "channel": {
        "in_person": ("store", "branch", "walk_in", "face_to_face", "counter", "toko", "cabang"),
        "phone": ("telephone", "call", "voice", "call_center", "call_centre", "tel", "telepon"),
        "email": ("e_mail", "mail", "surel"),
        "chat": ("live_chat", "livechat", "web_chat", "webchat", "in_app_chat", "obrolan"),
        "messaging": ("whatsapp", "wa", "sms", "telegram", "line", "wechat", "messenger", "text"),
        "social": ("social_media", "facebook", "instagram", "twitter", "x", "tiktok"),
        "self_service": ("web", "web_form", "website", "portal", "form", "help_center", "app"),
        "chatbot": ("bot", "virtual_assistant"),
        "forum": ("community",),
    },
    "kind": {
        "nps": ("net_promoter_score", "net_promoter"),
        "csat": ("customer_satisfaction", "satisfaction", "customer_satisfaction_score"),
        "ces": ("customer_effort_score", "customer_effort", "effort"),
    },
    "end_reason": {
        "voluntary": ("cancelled", "canceled", "cancellation", "customer", "churned", "berhenti"),
        "payment_failure": ("payment_failed", "payment", "unpaid", "involuntary", "card_declined"),
    },
    "arm": {"treatment": ("treated", "contacted", "test"), "holdout": ("control", "held_out")},
}

_MARKS: Mapping[str, tuple[str, ...]] = {
    "$": ("USD", "AUD", "CAD", "SGD", "NZD", "HKD", "MXN", "TWD", "ARS", "CLP", "COP"),
    "US$": ("USD",),
    "A$": ("AUD",),
    "C$": ("CAD",),
    "S$": ("SGD",),
    "R$": ("BRL",),
    "€": ("EUR",),
    "£": ("GBP", "EGP"),
    "¥": ("JPY", "CNY"),
    "₹": ("INR",),
    "₩": ("KRW",),
    "₽": ("RUB",),
    "฿": ("THB",),
    "₫": ("VND",),
    "₱": ("PHP",),
    "₺": ("TRY",),
    "RP": ("IDR",),
    "RM": ("MYR",),
    "KR": ("SEK", "NOK", "DKK", "ISK"),
    "ZŁ": ("PLN",),
}
_MARK = r"(US\$|[ACSR]\$|\$|€|£|¥|₹|₩|₽|฿|₫|₱|₺|(?i:rp)\.?|RM|kr\.?|zł|[A-Z]{3})"

_ISO = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([T ]\d{1,2}:\d{2}.*)?"
_ZONED = r":\d{2}.*(Z|UTC|[+-]\d{2}(:?\d{2})?)$"
_ZONED_MINUTE = r"([T ]\d{1,2}:\d{2}) ?(Z|UTC|[+-]\d{2}(:?\d{2})?)$"
_COMPACT = r"(19|20)\d{6}"
_FIRST_MILLISECONDS = 100_000_000_000


def quoted(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def cleaned(cell: str, kind: Kind) -> str:
    """SQL for the trimmed text of `cell`; NULL for a word that means there is no value.

    In text `NA` stays: it may be North America or Namibia.
    """
    words = [word for word in sorted(MISSING) if kind != "text" or word != "na"]
    longest = max(map(len, words))
    listed = ", ".join(literal(word) for word in words)
    # Most cells are plain; trimming a set of characters costs four times the test for that.
    trimmed = (
        f"CASE WHEN regexp_full_match({cell}, '[!-~](.*[!-~])?') THEN {cell} "
        f"ELSE trim({cell}, {literal(_BLANKS)}) END"
    )
    return (
        f"CASE WHEN strlen({trimmed}) > {longest} OR lower({trimmed}) NOT IN ({listed}) "
        f"THEN {trimmed} END"
    )


def cleaned_text(cell: str, kind: Kind) -> str | None:
    """What `cleaned` gives in SQL, for one value."""
    trimmed = cell.strip(_BLANKS)
    folded = trimmed.lower()
    is_missing = folded in MISSING and (kind != "text" or folded != "na")
    return None if is_missing else trimmed


def time_value(text: str, zone: str, date_format: str | None) -> str:
    """SQL for the instant that `text` writes, NULL when it is not such a time.

    A time without a zone is read in `zone`. Without `date_format` the ISO forms are read;
    `%s` is seconds, or milliseconds, since 1970. Where the format has a clock, the date
    alone is read too.
    """
    if date_format is None:
        return _iso_time(text, zone)
    if date_format == "%s":
        number = f"TRY_CAST({text} AS BIGINT)"
        return (
            f"CASE WHEN abs({number}) < {_FIRST_MILLISECONDS} THEN make_timestamptz("
            f"{number} * 1000000) ELSE make_timestamptz({number} * 1000) END"
        )
    read = f"try_strptime({text}, {_formats(date_format)})"
    return read if "%z" in date_format else f"timezone({literal(zone)}, {read})"


def _formats(date_format: str) -> str:
    date_only = re.split(r",?[ T]%[HI]", date_format)[0]
    formats = [date_format] if date_only == date_format else [date_format, date_only]
    return "[" + ", ".join(literal(each) for each in formats) + "]"


def _iso_time(text: str, zone: str) -> str:
    # DuckDB's cast takes no zone after minutes, though it does after seconds.
    seconds = f"regexp_replace({text}, '{_ZONED_MINUTE}', '\\1:00\\2')"
    # It also takes words like 'epoch' and two-digit years, so the shape is tested first.
    return (
        f"CASE WHEN regexp_matches({text}, '{_ZONED}') AND regexp_full_match({text}, '{_ISO}') "
        f"THEN TRY_CAST(regexp_replace({seconds}, ' ([+-]\\d)', '\\1') AS TIMESTAMPTZ) "
        f"WHEN regexp_full_match({text}, '{_ISO}') "
        f"THEN timezone({literal(zone)}, TRY_CAST(replace({text}, ',', '.') AS TIMESTAMP)) "
        f"WHEN regexp_full_match({text}, '{_COMPACT}') "
        f"THEN timezone({literal(zone)}, try_strptime({text}, '%Y%m%d')) END"
    )


def number_value(text: str, decimal: str) -> str:
    """SQL for the number that `text` writes, NULL when it is none.

    Thousands separators, currency marks, brackets or a trailing minus for a negative number are
    understood; `decimal` is the sign before the fraction.
    """
    bare = f"replace({text}, '\u2212', '-')"
    for pattern, replacement in (
        (r"^\((.*)\)$", r"-\1"),
        (rf"^([-+]?)\s*{_MARK}\s*([-+]?)\s*", r"\1\3"),
        (rf"\s*{_MARK}$", ""),
        (r"[,.]-$", ""),
        (r"^(.*\d[.,]?)-$", r"-\1"),
    ):
        bare = f"regexp_replace({bare}, {literal(pattern)}, {literal(replacement)})"
    grouping = " ''_\u00a0\u202f" + ("," if decimal == "." else ".")
    point = rf"\{decimal}"
    grouped = rf"[-+]?\d{{1,3}}([{grouping}]\d{{3}})+({point}\d*)?"
    plain = rf"[-+]?(\d+{point}?\d*|{point}\d+)([eE][-+]?\d+)?"
    slow = (
        f"TRY_CAST(CASE WHEN regexp_full_match({bare}, '{grouped}|{plain}') THEN replace("
        f"regexp_replace({bare}, '[{grouping}]', '', 'g'), '{decimal}', '.') END AS DOUBLE)"
    )
    # The cast alone settles nearly every value of a file with decimal points, ten times as fast.
    return f"coalesce(TRY_CAST({text} AS DOUBLE), {slow})" if decimal == "." else slow


def currency_mark(text: str) -> str:
    """SQL for the currency sign or code beside the number in `text`, in capitals; '' for none."""
    before = rf"^[-+(]?\s*{_MARK}\s*[-+]?\s*[\d.,]"
    after = rf"[\d.,)]\s*{_MARK}$"
    found = f"regexp_extract({text}, '{before}', 1) || regexp_extract({text}, '{after}', 1)"
    return f"upper(rtrim({found}, '.'))"


def marks_of(currency: str) -> frozenset[str]:
    """The signs and codes that amounts in `currency` may bear."""
    return frozenset({currency, *(mark for mark, codes in _MARKS.items() if currency in codes)})


def boolean_value(text: str) -> str:
    """SQL for the truth of `text`, NULL when it is no known spelling of yes or no."""
    true = ", ".join(literal(word) for word in _TRUE)
    false = ", ".join(literal(word) for word in _FALSE)
    folded = f"lower({text})"
    return f"CASE WHEN {folded} IN ({true}) THEN true WHEN {folded} IN ({false}) THEN false END"


def choice_value(text: str, column: Column) -> str:
    """SQL for the choice of `column` that `text` names, whatever its case; NULL when none."""
    folded = f"regexp_replace(lower({text}), '{_BETWEEN_WORDS}', '_', 'g')"
    cases = " ".join(
        f"WHEN {folded} IN ({', '.join(literal(word) for word in words)}) THEN {literal(choice)}"
        for choice, words in _spellings(column).items()
    )
    return f"CASE {cases} END"


def choice_of(text: str, column: Column) -> str | None:
    """What `choice_value` gives in SQL, for one value."""
    folded = re.sub(_BETWEEN_WORDS, "_", text.lower(), flags=re.ASCII)
    named = (choice for choice, words in _spellings(column).items() if folded in words)
    return next(named, None)


def _spellings(column: Column) -> dict[str, tuple[str, ...]]:
    """Each choice of `column` and the words that mean it."""
    synonyms = _SYNONYMS.get(column.name.removeprefix("preferred_"), {})
    return {choice: (choice, *synonyms.get(choice, ())) for choice in column.choices}


def id_value(text: str) -> str:
    """SQL for an id: as written, but an integer that was exported as 12345.0 is 12345."""
    return f"CASE WHEN {is_float_id(text)} THEN split_part({text}, '.', 1) ELSE {text} END"


def is_float_id(text: str) -> str:
    """SQL for whether `text` is an integer exported with an empty fraction."""
    return rf"suffix({text}, '.0') AND regexp_full_match({text}, '\d+\.0')"


def id_of(text: str) -> str:
    """What `id_value` gives in SQL, for one value."""
    return text[:-2] if re.fullmatch(r"\d+\.0", text, re.ASCII) else text


def typed_value(
    text: str, column: Column, *, zone: str, decimal: str, date_format: str | None
) -> str:
    """SQL for the value of `column` that `text` writes, NULL when it cannot be read."""
    if column.kind == "time":
        return time_value(text, zone, date_format)
    if column.kind in ("money", "number", "whole"):
        return number_value(text, decimal)
    if column.kind == "boolean":
        return boolean_value(text)
    if column.kind == "choice":
        return choice_value(text, column)
    return id_value(text) if column.kind == "id" else text
