"""What generated customers buy: order lines, discounts, margins, refunds and returns."""

from dataclasses import dataclass, fields

import numpy as np

from features.company.people import People
from features.company.world import (
    Calendar,
    Columns,
    Effects,
    Flags,
    Floats,
    Integers,
    World,
    arrivals,
    names,
    numbers,
    pick,
    rows_of,
    words,
    working_hours,
)

PEAK_DAY_OF_YEAR = 350
WEEKDAYS = np.array([0.90, 0.85, 0.90, 0.95, 1.10, 1.25, 1.05])
"""Monday to Sunday; they average 1."""
CATEGORIES = ("groceries", "household", "beauty", "electronics", "fashion", "baby")
MARGIN_RATES = np.array([0.14, 0.22, 0.35, 0.11, 0.38, 0.20])
"""Margin as a share of the amount, by category."""
PRODUCTS = 120
LINES_MEAN, MOST_LINES = 1.8, 6
PRICE_SPREAD = 0.4
DISCOUNTED_SHARE = 0.2
REFUND_SHARE, FULL_REFUND_SHARE, RETURN_SHARE = 0.04, 0.8, 0.012
ORDER_CHANNELS = ("app", "web", "store")


@dataclass(frozen=True)
class Purchases:
    """Orders by owner and time, in days."""

    owner: Integers
    time: Floats


@dataclass(frozen=True)
class Lines:
    """Order lines; money in rupiah, NaN where nothing was refunded."""

    owner: Integers
    order: Integers
    time: Floats
    product: Integers
    channel: Integers
    quantity: Integers
    amount: Floats
    discount: Floats
    margin: Floats
    refunded: Floats
    refund: Floats


def purchase_profile(calendar: Calendar, effects: Effects) -> Floats:
    """Relative purchase intensity of every simulated day: yearly season times weekday."""
    dates = calendar.dates()
    day_of_year = (dates - dates.astype("datetime64[Y]")).astype(np.int64)
    angle = 2 * np.pi * (day_of_year - PEAK_DAY_OF_YEAR) / 365.25
    # 1970-01-01 was a Thursday, weekday 3 when Monday is 0.
    weekday = (dates.astype(np.int64) + 3) % 7
    season: Floats = np.exp(effects.seasonality * np.cos(angle))
    return season * WEEKDAYS[weekday] ** effects.weekday


def draw_purchases(people: People, world: World) -> Purchases:
    """What content customers would order if nobody dropped out.

    The first order comes ten minutes after signing up.
    """
    rng, calendar = world.stream("purchases"), world.calendar
    profile = purchase_profile(calendar, world.effects)
    since = np.floor(people.signed_up) + 1
    owner, time = arrivals(rng, people.purchase_rate, since, calendar.days, profile)
    owner = np.concatenate([np.arange(len(people)), owner])
    time = np.concatenate([people.signed_up + 10 / 1440, working_hours(time)])
    return rows_of(Purchases(owner, time), np.lexsort((time, owner)))


def orders_table(made: Purchases, dropout: Integers, people: People, world: World) -> Columns:
    """The `orders` rows, one per order line, with returns among them as negative amounts."""
    rng = world.stream("order lines")
    lines = _lines(rng, made, people, world.calendar)
    until = np.minimum(dropout, world.calendar.days)
    returns = _returns(rng, lines, until)
    columns = [(getattr(lines, f.name), getattr(returns, f.name)) for f in fields(Lines)]
    both = Lines(*(np.concatenate(pair) for pair in columns))
    is_return = np.arange(len(both.time)) >= len(lines.time)
    order = np.lexsort((both.product, both.time, both.owner))
    return _columns(rows_of(both, order), is_return[order], people, world.calendar)


def _lines(rng: np.random.Generator, made: Purchases, people: People, calendar: Calendar) -> Lines:
    orders = len(made.time)
    lines = np.minimum(1 + rng.poisson(LINES_MEAN - 1, orders), MOST_LINES)
    order = np.repeat(np.arange(orders), lines)
    position = np.arange(len(order)) - np.repeat(np.cumsum(lines) - lines, lines)
    # A step that shares no factor with the number of products keeps an order's products apart.
    product = (rng.integers(0, PRODUCTS, orders)[order] + 37 * position) % PRODUCTS
    owner, time = made.owner[order], made.time[order]
    amount, discount = _prices(rng, people.order_value[owner])
    rate = MARGIN_RATES[product % len(CATEGORIES)] + rng.normal(0, 0.03, len(order))
    refunded, refund = _refunds(rng, time, amount, calendar)
    return Lines(
        owner=owner,
        order=order,
        time=time,
        product=product,
        channel=pick(rng, (0.6, 0.25, 0.15), orders)[order],
        quantity=1 + rng.poisson(0.4, len(order)),
        amount=amount,
        discount=discount,
        margin=np.round(amount * rate - 0.3 * discount, -2),
        refunded=refunded,
        refund=refund,
    )


def _prices(rng: np.random.Generator, order_value: Floats) -> tuple[Floats, Floats]:
    """Amounts paid and discounts given, to the hundred rupiah."""
    count = len(order_value)
    noise = rng.normal(-(PRICE_SPREAD**2) / 2, PRICE_SPREAD, count)
    gross = order_value / LINES_MEAN * np.exp(noise)
    share = np.where(rng.random(count) < DISCOUNTED_SHARE, rng.uniform(0.05, 0.3, count), 0.0)
    discount = np.round(gross * share, -2)
    return np.maximum(np.round(gross, -2) - discount, 500.0), discount


def _refunds(
    rng: np.random.Generator, time: Floats, amount: Floats, calendar: Calendar
) -> tuple[Floats, Floats]:
    """When a few lines are refunded, one to three weeks later, and how much; NaN otherwise."""
    count = len(time)
    chosen = rng.random(count) < REFUND_SHARE
    refunded = calendar.seen(np.where(chosen, time + rng.uniform(1, 21, count), np.nan))
    part = np.where(rng.random(count) < FULL_REFUND_SHARE, 1.0, 0.5)
    return refunded, np.where(np.isfinite(refunded), np.round(amount * part, -2), np.nan)


def _returns(rng: np.random.Generator, lines: Lines, until: Integers) -> Lines:
    """The goods sent back, as lines with negative money; never those refunded already."""
    back = working_hours(lines.time + rng.uniform(2, 14, len(lines.time)))
    sent: Flags = rng.random(len(back)) < RETURN_SHARE
    index = np.flatnonzero(sent & np.isnan(lines.refunded) & (back < until[lines.owner]))
    same = rows_of(lines, index)
    return Lines(
        owner=same.owner,
        order=same.order,
        time=back[index],
        product=same.product,
        channel=same.channel,
        quantity=same.quantity,
        amount=-same.amount,
        discount=np.zeros(len(index)),
        margin=-same.margin,
        refunded=same.refunded,
        refund=same.refund,
    )


def _columns(lines: Lines, is_return: Flags, people: People, calendar: Calendar) -> Columns:
    # A return has a document of its own, so no order holds the same product twice.
    document = (people.number[0] * 1_000 + lines.order) * 2 + is_return
    return {
        "customer_id": names("C", people.number[lines.owner]),
        "ordered_at": calendar.stamps(lines.time),
        "amount": numbers(lines.amount),
        "order_id": names("O", document),
        "product_id": names("P", lines.product),
        "category": words(CATEGORIES, lines.product % len(CATEGORIES)),
        "channel": words(ORDER_CHANNELS, lines.channel),
        "quantity": numbers(lines.quantity),
        "margin": numbers(lines.margin),
        "discount": numbers(lines.discount),
        "refunded_at": calendar.stamps(lines.refunded),
        "refund_amount": numbers(lines.refund, np.isfinite(lines.refund)),
    }
