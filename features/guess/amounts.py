"""Which money column of an order file may be added up, or which two must be multiplied."""

from collections import defaultdict

from features.guess.matching import ColumnGuess, Sheet, pair_score

_ENOUGH = 0.95
_BLANK = 0.02


def order_amount(sheet: Sheet, chosen: dict[str, ColumnGuess]) -> ColumnGuess | None:
    """Choose the amount of an order line: a line total, or unit price times quantity.

    A total that belongs to the whole order but is written on (or only on the first of) each of
    its lines would be counted wrongly, so price times quantity is preferred there.
    """
    total, product = chosen.get("amount"), _product(sheet, chosen)
    if total is None:
        return product or _price_alone(chosen)
    if product is None:
        return total
    missing = sheet.profiles[total.source].missing
    if missing > _BLANK:
        why = f"{total.source!r} is empty on {missing:.0%} of the rows, so {product.why}"
        return ColumnGuess("amount", product.source, product.score, why)
    if repeats_within_order(sheet, chosen):
        why = f"{total.source!r} repeats on every line of an order, so {product.why}"
        return ColumnGuess("amount", product.source, product.score, why)
    agreeing = _agreement(sheet, chosen)
    if agreeing >= _ENOUGH:
        why = f"{total.why}; equals {product.source} on {agreeing:.0%} of the rows"
        return ColumnGuess("amount", total.source, max(total.score, 0.95), why)
    return total if total.score >= product.score - 0.1 else product


def rival_amounts(sheet: Sheet, chosen: dict[str, ColumnGuess]) -> list[str]:
    """Other columns whose names would also do for the amount, likeliest first."""
    taken = {part for guess in chosen.values() for part in guess.source.split(" * ")}
    scored = [
        (pair_score(sheet, "amount", column), header)
        for header, column in sheet.profiles.items()
        if header not in taken
    ]
    return [header for score, header in sorted(scored, reverse=True) if score >= 0.6]


def repeats_within_order(sheet: Sheet, chosen: dict[str, ColumnGuess]) -> bool:
    """Whether one total stands on all lines of nearly every many-line order.

    Lines that cost the same cannot be told from that, so lines must differ in price or quantity.
    """
    needed = [chosen.get(name) for name in ("order_id", "amount", "unit_price", "quantity")]
    if any(guess is None for guess in needed):
        return False
    columns = [sheet.values(guess.source) for guess in needed if guess is not None]
    totals: dict[str | None, set[str | None]] = defaultdict(set)
    products: dict[str | None, set[tuple[str | None, str | None]]] = defaultdict(set)
    for order, total, price, quantity in zip(*columns, strict=True):
        totals[order].add(total)
        products[order].add((price, quantity))
    several = [order for order, kinds in products.items() if order and len(kinds) > 1]
    same = sum(len(totals[order]) == 1 for order in several)
    return len(several) >= 3 and same / len(several) >= _ENOUGH


def _product(sheet: Sheet, chosen: dict[str, ColumnGuess]) -> ColumnGuess | None:
    price, quantity = chosen.get("unit_price"), chosen.get("quantity")
    if price is None or quantity is None:
        return None
    expression = f"{quantity.source} * {price.source}"
    why = f"there is a quantity ({quantity.source!r}) and a price of one ({price.source!r})"
    numbers = sheet.profiles[quantity.source].numbers(sheet.decimal)
    negative = sum(number < 0 for number in numbers)
    if negative:
        why += f"; {negative / len(numbers):.1%} negative, taken as returns"
    return ColumnGuess("amount", expression, min(price.score, quantity.score), why)


def _price_alone(chosen: dict[str, ColumnGuess]) -> ColumnGuess | None:
    price = chosen.get("unit_price")
    if price is None:
        return None
    why = f"no total and no quantity: {price.source!r} is the only money column with such a name"
    return ColumnGuess("amount", price.source, min(price.score, 0.7), why)


def _agreement(sheet: Sheet, chosen: dict[str, ColumnGuess]) -> float:
    names = ("amount", "unit_price", "quantity")
    columns = [sheet.profiles[chosen[name].source].numbers(sheet.decimal) for name in names]
    if len({len(column) for column in columns}) != 1 or not columns[0]:
        return 0.0
    rows = list(zip(*columns, strict=True))
    agreeing = sum(abs(total - price * n) <= 0.011 + 1e-6 * abs(total) for total, price, n in rows)
    return float(agreeing / len(rows))
