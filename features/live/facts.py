"""Which Python function makes the facts of which source."""

from collections.abc import Callable, Mapping

from features.aggregates import Source
from features.customers import CUSTOMERS_SOURCE
from features.live import behaviour, people, service, texts
from features.live.rows import Facts, History
from features.orders import BASKET, PURCHASE_DAYS, REFUNDS
from features.repeat_contact import AFTER_ORDERS
from features.subscriptions import SUBSCRIPTIONS_SOURCE
from features.support import TICKETS
from features.survey_texts import COMMENTS
from features.surveys import ANSWERS, INVITATIONS
from features.ticket_texts import TICKET_TEXTS
from features.usage import EVENT_KINDS, USAGE_DAYS

Roll = Callable[[History], Facts]

FACTS: Mapping[Source, Roll] = {
    PURCHASE_DAYS: behaviour.purchase_days,
    BASKET: behaviour.basket,
    REFUNDS: behaviour.refunds,
    USAGE_DAYS: behaviour.usage_days,
    EVENT_KINDS: behaviour.event_kinds,
    SUBSCRIPTIONS_SOURCE: behaviour.subscriptions,
    TICKETS: service.tickets,
    AFTER_ORDERS: service.after_orders,
    ANSWERS: service.answers,
    INVITATIONS: service.invitations,
    TICKET_TEXTS: texts.ticket_texts,
    COMMENTS: texts.comments,
    CUSTOMERS_SOURCE: people.customers,
}
"""Source to the twin of its SQL; every source of the catalogue has one."""
