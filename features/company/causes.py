"""What dissatisfies each generated customer on one day, by planted cause."""

import numpy as np

from features.company.dropout import DAILY_DECAY
from features.company.generate import BLOCK, END, PLANTED
from features.company.people import draw_people
from features.company.support import CAUSES, draw_shocks, draw_tickets
from features.company.world import Calendar, Effects, Floats, World


def cause_debts(
    customers: int, day: int, *, seed: int = 7, days: int = 900, effects: Effects = PLANTED
) -> Floats:
    """The log-hazard that each cause adds on `day`: CAUSES x customers, in order of their number.

    Drawn again from the arguments that `generate_company` took; `day` counts from the start of
    the history. A shock felt on day k weighs size * q ** (day - k - 1). Those who have dropped
    out have debts all the same: `truth.parquet` says who has.
    """
    calendar = Calendar(END, days)
    blocks = []
    for number, first in enumerate(range(0, customers, BLOCK)):
        world = World(calendar, effects, seed, number)
        people = draw_people(world, first + 1, min(BLOCK, customers - first))
        shocks = draw_shocks(draw_tickets(people, world), effects)
        felt = np.flatnonzero(shocks.day < day)
        debts = np.zeros((len(CAUSES), len(people)))
        weight = shocks.size[felt] * DAILY_DECAY ** (day - shocks.day[felt] - 1)
        np.add.at(debts, (shocks.cause[felt], shocks.owner[felt]), weight)
        blocks.append(debts)
    return np.concatenate(blocks, axis=1)
