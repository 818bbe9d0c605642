"""How a feature's value reads inside a sentence, in English and Indonesian."""

from typing import Literal

Language = Literal["en", "id"]

THINGS: dict[str, tuple[str, str, str]] = {
    "orders": ("order", "orders", "pesanan"),
    "purchase days": ("purchase day", "purchase days", "hari belanja"),
    "items": ("item", "items", "barang"),
    "products": ("product", "products", "produk"),
    "categories": ("category", "categories", "kategori"),
    "channels": ("channel", "channels", "saluran"),
    "refunds": ("refund", "refunds", "pengembalian dana"),
    "active days": ("active day", "active days", "hari aktif"),
    "events": ("event", "events", "aktivitas"),
    "sessions": ("session", "sessions", "sesi"),
    "kinds of use": ("kind of use", "kinds of use", "jenis pemakaian"),
    "subscriptions": ("subscription", "subscriptions", "langganan"),
    "plans": ("plan", "plans", "paket"),
    "tickets": ("ticket", "tickets", "tiket"),
    "contacts": ("contact", "contacts", "kontak"),
    "transfers": ("transfer", "transfers", "pengalihan"),
    "surveys": ("survey", "surveys", "survei"),
    "answers": ("answer", "answers", "jawaban"),
    "agents": ("agent", "agents", "petugas"),
    "switches": ("switch", "switches", "perpindahan"),
    "returns": ("return", "returns", "pengembalian barang"),
    "failures": ("failure", "failures", "kegagalan"),
    "errors": ("error", "errors", "galat"),
    "visits": ("visit", "visits", "kunjungan"),
    "price rises": ("price rise", "price rises", "kenaikan harga"),
    "plan changes": ("plan change", "plan changes", "pergantian paket"),
}
"""Unit of a count to its English singular and plural and its Indonesian noun."""

UNITS: frozenset[str] = frozenset(THINGS) | {
    "days",
    "hours",
    "money",
    "money trend",
    "trend",
    "points",
    "share",
    "change",
    "times",
    "score",
    "number",
    "flag",
    "text",
}
"""Every unit a feature may declare; shares and changes are fractions."""

_TIMES = {"en": "times", "id": "kali"}
_NOTHING = {"en": "no", "id": "tidak ada"}
_MOVES = {"en": ("up", "down", "unchanged"), "id": ("naik", "turun", "tidak berubah")}
_TRENDS = {
    "en": ("rising by", "falling by", "steady"),
    "id": ("naik", "turun", "stabil"),
}
_SPANS = {
    "en": {"day": ("day", "days"), "hour": ("hour", "hours"), "minute": ("minute", "minutes")},
    "id": {"day": ("hari", "hari"), "hour": ("jam", "jam"), "minute": ("menit", "menit")},
}


def value_text(value: float | str, unit: str, language: Language, currency: str) -> str:
    """Write `value` as it reads in the middle of a sentence: "143 days", "down 60%".

    Counts carry their noun ("no tickets", "1 ticket"); money carries `currency`.
    """
    if isinstance(value, str):
        return value
    if unit in THINGS:
        return _things(value, unit, language)
    if unit in ("days", "hours"):
        return _span(value * (24 if unit == "days" else 1), unit, language)
    if unit in ("money", "money trend"):
        return _money(value, unit, language, currency)
    number, size = number_text(value, language), number_text(abs(value), language)
    return {
        "share": f"{number_text(100 * value, language)}%",
        "change": _moved(value, f"{number_text(100 * abs(value), language)}%", _MOVES[language]),
        "points": _moved(value, size, _MOVES[language]),
        "trend": _moved(value, size, _TRENDS[language]),
        "times": f"{number} {_TIMES[language]}",
    }.get(unit, number)


def number_text(value: float, language: Language) -> str:
    """Write a number with about three digits that matter, in the language's own marks."""
    digits = 0 if abs(value) >= 10 or value == round(value) else 1 if abs(value) >= 1 else 2
    text = f"{round(value, digits) + 0.0:,.{digits}f}"
    if digits:
        text = text.rstrip("0").rstrip(".")
    return text if language == "en" else text.translate(str.maketrans(",.", ".,"))


def _things(value: float, unit: str, language: Language) -> str:
    one, many, local = THINGS[unit]
    noun = local if language == "id" else one if value == 1 else many
    return f"{_NOTHING[language] if value == 0 else number_text(value, language)} {noun}"


def _span(hours: float, unit: str, language: Language) -> str:
    if hours >= 48 or (unit == "days" and (hours >= 24 or hours == 0)):
        name, amount = "day", float(int(hours / 24))
    elif round(60 * hours) >= 60:
        name, amount = "hour", float(round(hours))
    else:
        name, amount = "minute", float(round(60 * hours))
    one, many = _SPANS[language][name]
    return f"{number_text(amount, language)} {one if amount == 1 else many}"


def _money(value: float, unit: str, language: Language, currency: str) -> str:
    digits = 0 if abs(value) >= 100 or value == round(value) else 2
    text = f"{abs(value) if unit == 'money trend' else value:,.{digits}f} {currency}".strip()
    if language == "id":
        text = text.translate(str.maketrans(",.", ".,"))
    return _moved(value, text, _TRENDS[language]) if unit == "money trend" else text


def _moved(value: float, amount: str, words: tuple[str, str, str]) -> str:
    if amount.strip("0.,% ") == "":
        return words[2]
    return f"{words[0] if value > 0 else words[1]} {amount}"
