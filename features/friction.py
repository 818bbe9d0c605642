"""Features on the rhythm of use, its breaks, and what goes wrong on the way."""

from functools import partial

from features.aggregates import Aggregate, Change, Ratio, Shrunk
from features.declare import Feature, Words, over
from features.usage import EVENT_KINDS, IDLE, IDLE_ID, NEVER, NEVER_ID, active_days, usage

kinds = partial(Aggregate, EVENT_KINDS)

_ONCE = "Used on fewer than two days so far"
_ONCE_ID = "Baru dipakai kurang dari dua hari"

_RHYTHM: list[Feature] = [
    *over(
        (1,),
        "events_streak_days",
        lambda w: usage("last", "streak", days=w, zero=True),
        "active days",
        "usage",
        english=Words(
            "Active days in a row up to the day before; 0 without use on that day",
            "{value} in a row by now",
            NEVER,
            "No use on the day before",
        ),
        indonesian=Words(
            "Hari aktif berturut-turut sampai kemarin; 0 bila kemarin tidak dipakai",
            "{value} berturut-turut sampai kini",
            NEVER_ID,
            "Tidak dipakai pada hari sebelumnya",
        ),
        direction=-1,
    ),
    *over(
        (90,),
        "events_longest_streak_days",
        lambda w: usage("max", "streak", days=w),
        "active days",
        "usage",
        english=Words(
            "Longest run of active days in a row reached in the last {days} days",
            "{value} in a row at best (last {days} days)",
            IDLE,
        ),
        indonesian=Words(
            "Rangkaian hari aktif berturut-turut terpanjang dalam {days} hari terakhir",
            "{value} berturut-turut paling lama ({days} hari terakhir)",
            IDLE_ID,
        ),
        direction=-1,
    ),
    Feature(
        "events_gap_mean",
        usage("mean", "gap"),
        "days",
        "usage",
        Words("Mean days between active days", "Usually comes back every {value}", _ONCE),
        Words("Rata-rata hari antara dua hari aktif", "Biasanya kembali setiap {value}", _ONCE_ID),
        direction=1,
    ),
    *over(
        (90,),
        "events_gap_max",
        lambda w: usage("max", "gap", days=w),
        "days",
        "usage",
        english=Words(
            "Longest pause that ended in the last {days} days",
            "Longest pause in use {value} (last {days} days)",
            IDLE,
        ),
        indonesian=Words(
            "Jeda pemakaian terpanjang yang berakhir dalam {days} hari terakhir",
            "Jeda pemakaian terpanjang {value} ({days} hari terakhir)",
            IDLE_ID,
        ),
        direction=1,
    ),
    Feature(
        "events_days_since_last_over_gap_mean",
        Ratio(usage("since_last"), usage("mean", "gap")),
        "times",
        "usage",
        Words(
            "Days since the last use over the customer's own mean pause",
            "Away for {value} the usual time between uses",
            _ONCE,
        ),
        Words(
            "Hari sejak pemakaian terakhir dibagi jeda rata-rata pelanggan itu",
            "Tidak memakai selama {value} jeda biasanya",
            _ONCE_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "events_active_days_7d_of_30d",
        Ratio(active_days(7), active_days(30)),
        "share",
        "usage",
        Words(
            "Share of the active days of 30 days that fell in the last 7",
            "{value} of the last 30 days' active days were in the last 7",
            "No use in the last 30 days",
            "Used in the last 30 days, but not in the last 7",
        ),
        Words(
            "Bagian hari aktif 30 hari yang jatuh pada 7 hari terakhir",
            "{value} hari aktif dari 30 hari terjadi dalam 7 hari terakhir",
            "Tidak ada pemakaian dalam 30 hari terakhir",
            "Dipakai dalam 30 hari terakhir, tetapi tidak dalam 7 hari terakhir",
        ),
        direction=-1,
    ),
    *over(
        (30, 90),
        "events_kinds_change",
        lambda w: Change(
            kinds("distinct", "event", days=w), kinds("distinct", "event", days=2 * w, until=w)
        ),
        "change",
        "usage",
        english=Words(
            "Change in the kinds of use, last {days} days against the {days} before",
            "Kinds of use {value} against the {days} days before",
            "No use to compare with in the {days} days before the last {days}",
        ),
        indonesian=Words(
            "Perubahan jenis pemakaian, {days} hari terakhir terhadap {days} hari sebelumnya",
            "Jenis pemakaian {value} dibanding {days} hari sebelumnya",
            "Tidak ada pemakaian pembanding pada {days} hari sebelum {days} hari terakhir",
        ),
        direction=-1,
        actionable=True,
    ),
]


def _events(friction: str, lookback: int) -> Aggregate:
    return kinds("sum", "uses", where=friction, days=lookback)


_TROUBLE = (
    ("error_count", "friction = 'error'", "errors", "Errors met", "Galat yang ditemui"),
    (
        "checkout_failure_count",
        "friction = 'checkout'",
        "failures",
        "Failed checkouts and payments",
        "Pembayaran yang gagal",
    ),
    (
        "search_failure_count",
        "friction = 'search'",
        "failures",
        "Searches without a result",
        "Pencarian tanpa hasil",
    ),
    (
        "help_visit_count",
        "friction = 'help'",
        "visits",
        "Visits to the help pages",
        "Kunjungan ke halaman bantuan",
    ),
)
"""Name, which events, unit and what they are called."""


def _trouble(name: str, friction: str, unit: str, english: str, indonesian: str) -> list[Feature]:
    """How often one kind of trouble was met, by the words of the event's name."""
    return over(
        (30, 90),
        f"events_{name}",
        lambda w: _events(friction, w),
        unit,
        "usage",
        english=Words(
            f"{english} in the last {{days}} days, by the words of the event's name",
            f"{english}: {{value}} in the last {{days}} days",
            NEVER,
        ),
        indonesian=Words(
            f"{indonesian} dalam {{days}} hari terakhir, menurut kata pada nama aktivitas",
            f"{indonesian}: {{value}} dalam {{days}} hari terakhir",
            NEVER_ID,
        ),
        direction=1,
        actionable=True,
    )


_ANY = "friction IS NOT NULL"

_SHARES: list[Feature] = [
    *over(
        (90,),
        "events_friction_rate",
        lambda w: Ratio(_events(_ANY, w), kinds("sum", "uses", days=w)),
        "share",
        "usage",
        english=Words(
            "Share of the events of the last {days} days that are errors, failures or calls for "
            "help",
            "{value} of use met trouble in the last {days} days",
            IDLE,
            "No trouble met in the last {days} days",
        ),
        indonesian=Words(
            "Bagian aktivitas {days} hari terakhir yang berupa galat, kegagalan atau mencari "
            "bantuan",
            "{value} pemakaian bermasalah dalam {days} hari terakhir",
            IDLE_ID,
            "Tidak ada masalah dalam {days} hari terakhir",
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (90,),
        "events_friction_rate_shrunk",
        lambda w: Shrunk(_events(_ANY, w), kinds("sum", "uses", days=w)),
        "share",
        "usage",
        english=Words(
            "Share of events that met trouble drawn towards the company's, last {days} days",
            "About {value} of use meets trouble, allowing for little use",
            IDLE,
        ),
        indonesian=Words(
            "Bagian aktivitas bermasalah, ditarik ke tingkat perusahaan, {days} hari terakhir",
            "Sekitar {value} pemakaian bermasalah, dengan memperhitungkan pemakaian yang sedikit",
            IDLE_ID,
        ),
        direction=1,
        actionable=True,
    ),
]

FRICTION_FEATURES: list[Feature] = [
    *_RHYTHM,
    *[feature for trouble in _TROUBLE for feature in _trouble(*trouble)],
    *_SHARES,
]
