"""The configuration and the notice that lie beside a generated company's files."""

from dataclasses import asdict
from datetime import date

from features.company.world import TIMEZONE, Effects

COLUMNS = {
    "customers": "signed_up_at segment region language timezone preferred_channel"
    " email_consent sms_consent",
    "orders": "ordered_at amount order_id product_id category channel quantity margin discount"
    " refunded_at refund_amount",
    "events": "occurred_at event value session_id channel",
    "subscriptions": "subscription_id started_at ended_at plan monthly_price auto_renew end_reason",
    "tickets": "ticket_id opened_at first_response_at resolved_at reopened_at escalated_at channel"
    " category priority contacts transfers agent_id text language",
    "surveys": "kind sent_at answered_at score ticket_id text",
    "contacts": "contacted_at campaign channel arm offer",
}
"""What each file holds beside `customer_id`, under canonical names."""


def pipeline_yaml(customers: int) -> str:
    """The commented pipeline.yaml of a generated company of so many customers."""
    sources = "\n".join(_source(table) for table in COLUMNS)
    return f"""\
# A generated company of {customers:,} customers: every person, order and ticket is made up.
# What was planted in it is told in GENERATED.md.
name: generated-company
generated: true
currency: IDR
# The calendar days below are days in this time zone.
timezone: {TIMEZONE}
workspace: var

sources:
{sources}
# A customer has churned when no order comes within the horizon.
# Asked about are those who ordered within eligible_days before the cutoff.
churn:
  label: inactivity
  activity: orders
  horizon_days: 90
  eligible_days: 365

# A customer's value: orders less refunds over this horizon.
clv:
  horizon_days: 180
  value: amount

training:
  # Who leaves this company ends the subscription that day, so a subscription that has ended
  # all but settles the label. It is known by the cutoff; a feature like it is refused otherwise.
  allowed_features: [subscriptions_ended_voluntarily]

# Whom to contact: `setia outreach plan --dry-run` shows it, `setia outreach run` does it.
# What is sent goes into files under var/outreach/sent, for there is nobody to write to.
outreach:
  daily_budget: 500000
  channels:
    email:
      endpoint: sent
      cost: 500
      daily_capacity: 200
    messaging:
      endpoint: sent
      cost: 1500
      daily_capacity: 100
    phone:
      endpoint: sent
      cost: 20000
      daily_capacity: 10
      consent: not_needed
  endpoints:
    sent:
      kind: file
      folder: var/outreach/sent
"""


def notice(customers: int, seed: int, days: int, end: date, effects: Effects) -> str:
    """GENERATED.md: that the data is generated, from what, and what was planted."""
    strengths = "\n".join(f"| {name} | {value} |" for name, value in asdict(effects).items())
    return f"""\
# Generated data

No customer, order, ticket or answer in this folder is real. Setia drew all of it from a
stated random process: {customers:,} customers, {days} days before {end.isoformat()}, seed {seed}.
Figures measured on it show that the program finds what was planted; they say nothing about
any business.

| planted effect | strength |
| --- | --- |
{strengths}

`truth.parquet` and `truth_contacts.parquet` hold what is hidden from the models. The process
is described in docs/generated-company.md.
"""


def _source(table: str) -> str:
    names = ["customer_id", *COLUMNS[table].split()]
    lines = [f"  {table}:", f"    path: {table}.parquet", "    columns:"]
    lines += [f"      {name}: {name}" for name in names]
    if table == "customers":
        lines += ["    attributes:", "      acquisition: category", "      age: numeric"]
    return "\n".join(lines) + "\n"
