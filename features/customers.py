"""Features from the customers table: tenure, consent, and attributes known by the cutoff."""

from collections.abc import Mapping
from functools import partial
from typing import Literal

from features.aggregates import Aggregate, Fact, Source
from features.declare import Feature, Words

ALWAYS = -100_000_000_000
"""Epoch seconds of a row that is not dated: known at every cutoff."""

KNOWN = (
    f"greatest(coalesce(epoch_seconds(valid_from), {ALWAYS}), "
    f"coalesce(epoch_seconds(signed_up_at), {ALWAYS}))"
)
"""SQL for when a row of customers became known: valid from then, and not before signing up."""

_VERSIONS = f"row_number() OVER (PARTITION BY customer_id ORDER BY {KNOWN}"

CUSTOMERS_SOURCE = Source(
    name="customers",
    table="customers",
    time=None,
    clock="second",
    place="place",
    facts=f"""
        SELECT customer_id, {KNOWN} AS ts, epoch_seconds(signed_up_at) AS signed_up_at,
          CAST(month(signed_up_at) AS BIGINT) AS signup_month,
          segment, region, language, timezone, preferred_channel,
          CAST(email_consent AS INT) AS email_consent, CAST(sms_consent AS INT) AS sms_consent,
          {_VERSIONS}, segment, region, language, timezone, preferred_channel,
            email_consent, sms_consent) AS place
        FROM customers""",
    columns={
        "signed_up_at": Fact(("signed_up_at",)),
        "signup_month": Fact(("signed_up_at",)),
        "email_consent": Fact(("email_consent",)),
        "sms_consent": Fact(("sms_consent",)),
        **{
            name: Fact((name,), is_text=True)
            for name in ("segment", "region", "language", "timezone", "preferred_channel")
        },
    },
)

customers = partial(Aggregate, CUSTOMERS_SOURCE)


def _told(column: str, english: str, indonesian: str) -> Feature:
    """A category as the customers table tells it."""
    return Feature(
        f"customers_{column}",
        customers("last", column),
        "text",
        "profile",
        Words(english, f"{english}: {{value}}", f"{english} not known"),
        Words(indonesian, f"{indonesian}: {{value}}", f"{indonesian} tidak diketahui"),
    )


def _consent(column: str, english: str, indonesian: str) -> Feature:
    """Whether a customer may be contacted in one way."""
    return Feature(
        f"customers_{column}",
        customers("last", column),
        "flag",
        "profile",
        Words(
            f"Whether the customer agreed to {english}",
            f"Agreed to {english}",
            f"Consent to {english} not known",
            f"Did not agree to {english}",
        ),
        Words(
            f"Apakah pelanggan menyetujui {indonesian}",
            f"Menyetujui {indonesian}",
            f"Persetujuan atas {indonesian} tidak diketahui",
            f"Tidak menyetujui {indonesian}",
        ),
    )


CUSTOMERS: list[Feature] = [
    Feature(
        "customers_tenure",
        customers("since_last", time="signed_up_at"),
        "days",
        "profile",
        Words("Days since signing up", "Signed up {value} ago", "Date of signing up not known"),
        Words("Hari sejak mendaftar", "Mendaftar {value} lalu", "Tanggal daftar tidak diketahui"),
        direction=-1,
    ),
    Feature(
        "customers_signup_month",
        customers("last", "signup_month"),
        "number",
        "profile",
        Words(
            "Month of the year in which the customer signed up (UTC), 1 to 12",
            "Signed up in month {value} of a year",
            "Month of signing up not known",
        ),
        Words(
            "Bulan pelanggan mendaftar (UTC), 1 sampai 12",
            "Mendaftar pada bulan ke-{value} dalam setahun",
            "Bulan daftar tidak diketahui",
        ),
    ),
    _told("segment", "Segment", "Segmen"),
    _told("region", "Region", "Wilayah"),
    _told("language", "Language", "Bahasa"),
    _told("timezone", "Time zone", "Zona waktu"),
    _told("preferred_channel", "Preferred channel", "Saluran pilihan"),
    _consent("email_consent", "e-mail", "surel"),
    _consent("sms_consent", "text messages", "SMS"),
]


_TAKEN = frozenset(feature.name for feature in CUSTOMERS)


def attribute_features(attributes: Mapping[str, Literal["numeric", "category"]]) -> list[Feature]:
    """One feature per attribute column, `customers_<attribute>`, under its source name.

    An attribute called like a feature of ours, such as tenure, becomes `…_given`.
    """
    columns = {f"attribute_{place}": name for place, name in enumerate(attributes)}
    source = _attribute_source(columns, attributes)
    return [
        attribute_feature(name, attributes[name], Aggregate(source, "last", column))
        for column, name in columns.items()
    ]


def attribute_named(feature: str) -> str:
    """The attribute that the feature called `feature` hands on."""
    without = feature.removesuffix("_given")
    return (without if without in _TAKEN else feature).removeprefix("customers_")


def attribute_feature(
    attribute: str, kind: Literal["numeric", "category"], formula: Aggregate
) -> Feature:
    """The feature that hands an attribute on as it is."""
    label = " ".join(attribute.replace("_", " ").split())
    label = label[:1].upper() + label[1:]
    name = f"customers_{attribute}"
    return Feature(
        f"{name}_given" if name in _TAKEN else name,
        formula,
        "text" if kind == "category" else "number",
        "profile",
        Words(label, f"{label}: {{value}}", f"{label} not known"),
        Words(label, f"{label}: {{value}}", f"{label} tidak diketahui"),
    )


def _attribute_source(
    columns: Mapping[str, str], attributes: Mapping[str, Literal["numeric", "category"]]
) -> Source:
    quoted = {column: '"' + name.replace('"', '""') + '"' for column, name in columns.items()}
    listed = ", ".join(f"{name} AS {column}" for column, name in quoted.items())
    order = ", ".join(quoted.values())
    return Source(
        name="attributes",
        table="customers",
        time=None,
        clock="second",
        place="place",
        facts=f"""
        SELECT customer_id, {KNOWN} AS ts, {listed},
          {_VERSIONS}, {order}) AS place
        FROM customers""",
        columns={
            column: Fact((), is_text=attributes[name] == "category")
            for column, name in columns.items()
        },
    )
