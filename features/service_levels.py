"""Features that hold a customer's waits against a target, their own past and everybody else's."""

from features.aggregates import Aggregate, Ratio, Shrunk, of_company
from features.declare import Feature, Words, over
from features.support import tickets

_LIVE = "'in_person', 'phone', 'chat', 'messaging', 'chatbot', 'self_service'"
"""Channels on which a customer waits at the other end."""
LIVE_HOURS, OTHER_HOURS = 1, 24
"""Target for a first answer on those channels and on all others (e-mail, social, forum)."""
RESOLUTION_HOURS = 72
"""Target for a solution."""

_LATE = (
    f"(channel IN ({_LIVE}) AND response_time > {LIVE_HOURS * 3600}) "
    f"OR (channel NOT IN ({_LIVE}) AND response_time > {OTHER_HOURS * 3600})"
)
_SLOW = f"resolution_time > {RESOLUTION_HOURS * 3600}"
_UNANSWERED = "No ticket answered in the last {days} days"
_UNANSWERED_ID = "Tidak ada tiket dijawab dalam {days} hari terakhir"
_UNSOLVED = "No ticket resolved in the last {days} days"
_UNSOLVED_ID = "Tidak ada tiket selesai dalam {days} hari terakhir"


def late_answers(lookback: int) -> Aggregate:
    """Tickets whose first answer missed the target of their channel."""
    return tickets("count", where=_LATE, days=lookback)


def answered(lookback: int) -> Aggregate:
    """Tickets with a first answer and a channel."""
    where = "response_time IS NOT NULL AND channel IS NOT NULL"
    return tickets("count", where=where, days=lookback)


def slow_solutions(lookback: int) -> Aggregate:
    """Tickets that took longer than the target to resolve."""
    return tickets("count", where=_SLOW, days=lookback)


def resolved(lookback: int) -> Aggregate:
    """Tickets resolved."""
    return tickets("count", where="resolution_time IS NOT NULL", days=lookback)


_TARGETS: list[Feature] = [
    *over(
        (90, 365),
        "tickets_late_answer_count",
        late_answers,
        "tickets",
        "support",
        english=Words(
            f"Tickets of the last {{days}} days answered after more than {LIVE_HOURS} hour on live "
            f"channels, {OTHER_HOURS} hours on others",
            "{value} answered late in the last {days} days",
            _UNANSWERED,
        ),
        indonesian=Words(
            f"Tiket {{days}} hari terakhir yang dijawab setelah lebih dari {LIVE_HOURS} jam pada "
            f"saluran langsung, {OTHER_HOURS} jam pada saluran lain",
            "{value} terlambat dijawab dalam {days} hari terakhir",
            _UNANSWERED_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (90, 365),
        "tickets_late_answer_rate",
        lambda w: Ratio(late_answers(w), answered(w)),
        "share",
        "support",
        english=Words(
            "Share of the answered tickets of the last {days} days whose first answer came late",
            "{value} of first answers came late (last {days} days)",
            _UNANSWERED,
            "Every first answer of the last {days} days came in time",
        ),
        indonesian=Words(
            "Bagian tiket terjawab {days} hari terakhir yang jawaban pertamanya terlambat",
            "{value} jawaban pertama terlambat ({days} hari terakhir)",
            _UNANSWERED_ID,
            "Semua jawaban pertama {days} hari terakhir tepat waktu",
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_late_answer_rate_shrunk",
        lambda w: Shrunk(late_answers(w), answered(w)),
        "share",
        "support",
        english=Words(
            "Share of late first answers drawn towards the company's, last {days} days",
            "About {value} of first answers come late, allowing for few tickets",
            _UNANSWERED,
        ),
        indonesian=Words(
            "Bagian jawaban pertama terlambat, ditarik ke tingkat perusahaan, {days} hari terakhir",
            "Sekitar {value} jawaban pertama terlambat, dengan memperhitungkan tiket yang sedikit",
            _UNANSWERED_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_slow_solution_rate",
        lambda w: Ratio(slow_solutions(w), resolved(w)),
        "share",
        "support",
        english=Words(
            f"Share of the resolved tickets of the last {{days}} days that took more than "
            f"{RESOLUTION_HOURS} hours",
            f"{{value}} of problems took more than {RESOLUTION_HOURS} hours (last {{days}} days)",
            _UNSOLVED,
            f"Every problem of the last {{days}} days was solved within {RESOLUTION_HOURS} hours",
        ),
        indonesian=Words(
            f"Bagian tiket selesai {{days}} hari terakhir yang memakan lebih dari "
            f"{RESOLUTION_HOURS} jam",
            f"{{value}} masalah memakan lebih dari {RESOLUTION_HOURS} jam ({{days}} hari terakhir)",
            _UNSOLVED_ID,
            f"Semua masalah {{days}} hari terakhir selesai dalam {RESOLUTION_HOURS} jam",
        ),
        direction=1,
        actionable=True,
    ),
]

_MEASURES = (
    ("first_response", "response_time", "a first answer", "jawaban pertama"),
    ("resolution", "resolution_time", "a solution", "penyelesaian"),
)
"""Name, fact and words of a wait."""


def _comparisons(name: str, column: str, english: str, indonesian: str) -> list[Feature]:
    """One kind of wait against the customer's own past and against the company's level."""
    return [
        *over(
            (90,),
            f"tickets_{name}_hours_over_own_past",
            lambda w: Ratio(tickets("mean", column, days=w), tickets("mean", column, until=w)),
            "times",
            "support",
            english=Words(
                f"Mean wait for {english}, tickets of the last {{days}} days over all before",
                f"Wait for {english} is {{value}} the wait before the last {{days}} days",
                f"No waits for {english} to compare inside and before the last {{days}} days",
            ),
            indonesian=Words(
                f"Rata-rata waktu {indonesian}, tiket {{days}} hari terakhir dibagi sebelumnya",
                f"Waktu {indonesian} {{value}} dibanding sebelum {{days}} hari terakhir",
                f"Tidak ada waktu {indonesian} pembanding di dalam dan sebelum {{days}} hari "
                "terakhir",
            ),
            direction=1,
            actionable=True,
        ),
        *over(
            (90, 365),
            f"tickets_{name}_hours_over_company",
            lambda w: Ratio(
                tickets("mean", column, days=w), of_company(tickets("mean", column, days=w))
            ),
            "times",
            "support",
            english=Words(
                f"Mean wait for {english} over the company's mean, tickets of the last {{days}} "
                "days",
                f"Wait for {english} is {{value}} what customers usually wait (last {{days}} days)",
                f"No wait for {english} to compare in the last {{days}} days",
            ),
            indonesian=Words(
                f"Rata-rata waktu {indonesian} dibagi rata-rata perusahaan, tiket {{days}} hari "
                "terakhir",
                f"Waktu {indonesian} {{value}} dari biasanya pelanggan ({{days}} hari terakhir)",
                f"Tidak ada waktu {indonesian} pembanding dalam {{days}} hari terakhir",
            ),
            direction=1,
            actionable=True,
        ),
    ]


SERVICE_LEVELS: list[Feature] = [
    *_TARGETS,
    *[feature for measure in _MEASURES for feature in _comparisons(*measure)],
]
