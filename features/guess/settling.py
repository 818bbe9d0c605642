"""From matched columns to a mapping that ingest can follow: amounts, times, durations, look-ups."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from features.config import TrailConfig
from features.contracts import SURVEY_SCALES, TABLES
from features.guess.amounts import order_amount, rival_amounts
from features.guess.headers import duration_unit, words
from features.guess.matching import ColumnGuess, Sheet, match_columns, near_misses
from features.guess.profiles import TimeShape
from features.guess.trails import FOLDED, guess_trail
from features.ingest.mapping import LOOKUP_KEYS

_DURATION_OF = {
    "first_response_at": "first_response_duration",
    "resolved_at": "resolution_duration",
}
_NEEDS = {"refund_amount": "refunded_at", "end_reason": "ended_at"}
"""Late column to the time without which nobody can say when it became known."""
_BY_VALUES, _BY_DETOUR = 0.4, 0.7
_ORDER_UNKNOWN = 0.5


@dataclass(frozen=True)
class SettledSheet:
    """The mapping of one sheet: columns in contract order, and what to check by eye."""

    columns: tuple[ColumnGuess, ...]
    constants: Mapping[str, str]
    date_format: str | None
    notes: tuple[str, ...]
    trail: TrailConfig | None = None


def settle(sheet: Sheet) -> SettledSheet:
    """Match the columns of a sheet, then settle what names alone cannot."""
    chosen = match_columns(sheet)
    notes = _settle_amount(sheet, chosen) if sheet.table == "orders" else []
    if sheet.table == "subscriptions":
        _settle_subscription(sheet, chosen)
    _settle_customer(sheet, chosen)
    _settle_lone_time(sheet, chosen)
    _settle_durations(chosen)
    date_format, doubts = _settle_times(sheet, chosen)
    notes += doubts + near_misses(sheet, chosen) + _drop_undated(chosen)
    trail = guess_trail(sheet, chosen, date_format)
    names = [name for name in TABLES[sheet.table].names if trail is None or name not in FOLDED]
    columns = tuple(chosen[name] for name in names if name in chosen)
    return SettledSheet(columns, _constants(sheet, chosen), date_format, tuple(notes), trail)


def _settle_amount(sheet: Sheet, chosen: dict[str, ColumnGuess]) -> list[str]:
    amount = order_amount(sheet, chosen) or _lone_decimal(sheet, chosen)
    chosen.pop("amount", None)
    chosen.pop("unit_price", None)
    if amount is None:
        return []
    chosen["amount"] = amount
    rivals = " or ".join(map(repr, rival_amounts(sheet, chosen)))
    return [f"amount could also be {rivals}: check which to add up"] if rivals else []


def _lone_decimal(sheet: Sheet, chosen: Mapping[str, ColumnGuess]) -> ColumnGuess | None:
    taken = {guess.source for guess in chosen.values()}
    money = [
        name
        for name, column in sheet.profiles.items()
        if name not in taken and any(not n.is_integer() for n in column.numbers(sheet.decimal))
    ]
    if len(money) != 1:
        return None
    why = f"no name says so, but {money[0]!r} is the only column of decimal numbers"
    return ColumnGuess("amount", money[0], _BY_VALUES, why)


def _settle_subscription(sheet: Sheet, chosen: dict[str, ColumnGuess]) -> None:
    customer = chosen.get("customer_id")
    if "subscription_id" in chosen or customer is None:
        return
    if sheet.profiles[customer.source].repeats == 1:
        why = f"one row per customer, so {customer.source!r} names the subscription too"
        chosen["subscription_id"] = ColumnGuess("subscription_id", customer.source, 0.7, why)


def _settle_customer(sheet: Sheet, chosen: dict[str, ColumnGuess]) -> None:
    if "customer_id" in chosen:
        return
    for table, key in LOOKUP_KEYS.items():
        headers = [name for name in sheet.profiles if words(name) == tuple(key.split("_"))]
        if headers and table != sheet.table:
            why = f"no customer here, but {headers[0]!r} leads to one through {table}"
            expression = f"{headers[0]} -> {table}"
            chosen["customer_id"] = ColumnGuess("customer_id", expression, _BY_DETOUR, why)
            return


def _settle_lone_time(sheet: Sheet, chosen: dict[str, ColumnGuess]) -> None:
    table = TABLES[sheet.table]
    main = table.time_fallback or table.time
    if main is None or {table.time, main} & set(chosen):
        return
    taken = {guess.source for guess in chosen.values()}
    times = [
        name
        for name, column in sheet.profiles.items()
        if name not in taken and column.time and column.time.share > 0.9
    ]
    if len(times) == 1:
        why = f"no name says so, but {times[0]!r} is the only column of times"
        chosen[main] = ColumnGuess(main, times[0], _BY_VALUES, why)


def _settle_durations(chosen: dict[str, ColumnGuess]) -> None:
    opened = chosen.get("opened_at")
    for instant, duration in _DURATION_OF.items():
        found = chosen.pop(duration, None)
        if found is None or instant in chosen or opened is None:
            continue
        unit = duration_unit(found.source)
        why = f"{found.source!r} is a duration in {unit}, counted from {opened.source!r}"
        expression = f"{opened.source} + {found.source} {unit}"
        chosen[instant] = ColumnGuess(instant, expression, min(found.score, _BY_DETOUR), why)


def _settle_times(sheet: Sheet, chosen: dict[str, ColumnGuess]) -> tuple[str | None, list[str]]:
    """Keep the time columns that share the main one's format, which is returned."""
    names = [name for name in TABLES[sheet.table].times if name in chosen]
    shapes = {name: shape for name in names if (shape := _shape(sheet, chosen[name]))}
    notes = []
    for name in names:
        if name in shapes and shapes[name].parts and not sheet.order.certain:
            chosen[name] = replace(chosen[name], score=min(chosen[name].score, _ORDER_UNKNOWN))
            notes.append(f"{chosen[name].source!r}: {sheet.order.why}")
    formats = {n: shape.format(day_first=sheet.order.day_first) for n, shape in shapes.items()}
    kept = next(iter(formats.values()), None)
    for name in [name for name, form in formats.items() if form != kept]:
        notes.append(
            f"{chosen.pop(name).source!r} looks like {name} but writes times as "
            f"{formats[name] or 'ISO'}, not {kept or 'ISO'}; a source has one date_format"
        )
    return kept, notes


def _shape(sheet: Sheet, guess: ColumnGuess) -> TimeShape | None:
    return sheet.profiles[guess.source.split(" + ")[0]].time


def _drop_undated(chosen: dict[str, ColumnGuess]) -> list[str]:
    undated = [late for late, time in _NEEDS.items() if late in chosen and time not in chosen]
    return [
        f"{chosen.pop(late).source!r} looks like {late}, "
        f"but no column says when ({_NEEDS[late]}): left out"
        for late in undated
    ]


def _constants(sheet: Sheet, chosen: Mapping[str, ColumnGuess]) -> dict[str, str]:
    if sheet.table == "events" and "event" not in chosen:
        return {"event": "use"}
    if sheet.table != "surveys" or "kind" in chosen or "score" not in chosen:
        return {}
    header = chosen["score"].source
    named = [kind for kind in SURVEY_SCALES if kind in header.lower()]
    highest = max(sheet.profiles[header].numbers(sheet.decimal), default=0.0)
    by_scale = "csat" if highest <= 5 else "ces" if highest <= 7 else "nps"
    return {"kind": named[0] if named else by_scale}
