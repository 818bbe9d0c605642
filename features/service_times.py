"""Features on how well support served a customer: how long it took to answer and to solve."""

from features.declare import Feature, Words, over
from features.support import tickets

_UNSOLVED = "No ticket resolved in the last {days} days"
_UNSOLVED_ID = "Tidak ada tiket selesai dalam {days} hari terakhir"
_UNANSWERED = "No ticket answered in the last {days} days"
_UNANSWERED_ID = "Tidak ada tiket dijawab dalam {days} hari terakhir"


_RESPONSE: list[Feature] = [
    *over(
        (90, 365),
        "tickets_first_response_hours_mean",
        lambda w: tickets("mean", "response_time", days=w),
        "hours",
        "support",
        english=Words(
            "Mean wait for a first answer, tickets of the last {days} days",
            "Waited {value} for a first answer on average (last {days} days)",
            _UNANSWERED,
        ),
        indonesian=Words(
            "Rata-rata waktu tunggu jawaban pertama, tiket {days} hari terakhir",
            "Rata-rata menunggu jawaban pertama {value} ({days} hari terakhir)",
            _UNANSWERED_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_first_response_hours_median",
        lambda w: tickets("median", "response_time", days=w),
        "hours",
        "support",
        english=Words(
            "Median wait for a first answer, tickets of the last {days} days",
            "Half of the first answers came within {value} (last {days} days)",
            _UNANSWERED,
        ),
        indonesian=Words(
            "Median waktu tunggu jawaban pertama, tiket {days} hari terakhir",
            "Separuh jawaban pertama datang dalam {value} ({days} hari terakhir)",
            _UNANSWERED_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_first_response_hours_max",
        lambda w: tickets("max", "response_time", days=w),
        "hours",
        "support",
        english=Words(
            "Longest wait for a first answer, tickets of the last {days} days",
            "Once waited {value} for a first answer (last {days} days)",
            _UNANSWERED,
        ),
        indonesian=Words(
            "Waktu tunggu jawaban pertama terlama, tiket {days} hari terakhir",
            "Pernah menunggu jawaban pertama {value} ({days} hari terakhir)",
            _UNANSWERED_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "tickets_first_response_hours_last",
        tickets("last", "response_time"),
        "hours",
        "support",
        Words(
            "Wait for a first answer on the last answered ticket",
            "Waited {value} for a first answer the last time",
            "No ticket answered yet",
        ),
        Words(
            "Waktu tunggu jawaban pertama pada tiket terakhir yang dijawab",
            "Terakhir kali menunggu jawaban pertama {value}",
            "Belum ada tiket yang dijawab",
        ),
        direction=1,
        actionable=True,
    ),
]

_RESOLUTION: list[Feature] = [
    *over(
        (90, 365),
        "tickets_resolution_hours_mean",
        lambda w: tickets("mean", "resolution_time", days=w),
        "hours",
        "support",
        english=Words(
            "Mean time to a solution, tickets of the last {days} days",
            "Problems took {value} to solve on average (last {days} days)",
            _UNSOLVED,
        ),
        indonesian=Words(
            "Rata-rata waktu penyelesaian, tiket {days} hari terakhir",
            "Masalah selesai rata-rata dalam {value} ({days} hari terakhir)",
            _UNSOLVED_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_resolution_hours_median",
        lambda w: tickets("median", "resolution_time", days=w),
        "hours",
        "support",
        english=Words(
            "Median time to a solution, tickets of the last {days} days",
            "Half of the problems were solved within {value} (last {days} days)",
            _UNSOLVED,
        ),
        indonesian=Words(
            "Median waktu penyelesaian, tiket {days} hari terakhir",
            "Separuh masalah selesai dalam {value} ({days} hari terakhir)",
            _UNSOLVED_ID,
        ),
        direction=1,
        actionable=True,
    ),
    *over(
        (365,),
        "tickets_resolution_hours_max",
        lambda w: tickets("max", "resolution_time", days=w),
        "hours",
        "support",
        english=Words(
            "Longest time to a solution, tickets of the last {days} days",
            "Slowest problem took {value} to solve (last {days} days)",
            _UNSOLVED,
        ),
        indonesian=Words(
            "Waktu penyelesaian terlama, tiket {days} hari terakhir",
            "Masalah terlama selesai dalam {value} ({days} hari terakhir)",
            _UNSOLVED_ID,
        ),
        direction=1,
        actionable=True,
    ),
    Feature(
        "tickets_resolution_hours_last",
        tickets("last", "resolution_time"),
        "hours",
        "support",
        Words(
            "Time to a solution on the last resolved ticket",
            "Last resolved problem took {value} to solve",
            "No ticket resolved yet",
        ),
        Words(
            "Waktu penyelesaian tiket terakhir yang selesai",
            "Masalah terakhir yang selesai memakan waktu {value}",
            "Belum ada tiket yang selesai",
        ),
        direction=1,
        actionable=True,
    ),
]

SERVICE_TIMES: list[Feature] = [*_RESPONSE, *_RESOLUTION]
