"""What each customer may spend within a horizon, drawn from the fitted models' posterior."""

import numpy as np
import numpy.typing as npt

from training.btyd.composite import Btyd
from training.btyd.history import History


def simulate_spend(
    model: Btyd, history: History, horizon_days: float, *, draws: int, seed: int
) -> npt.NDArray[np.float64]:
    """Draws of each customer's spend, customers x draws; a row's draws are in no random order.

    Each draw is exact given the parameters: alive or not, then the rates given that, the order
    days, the customer's own value level, and the sum of so many order values. The generator is
    seeded with `seed` and the customer's history, so a customer has the same draws alone or
    among others.
    """
    alive = model.orders.probability_alive(history)
    shape, rate = model.value.posterior(history)
    seen = np.column_stack(
        [history.frequency, history.recency, history.T, history.orders, history.mean_value]
    )
    spend = np.zeros((len(history), draws))
    for row, key in enumerate(seen.view(np.uint32)):
        rng = np.random.default_rng([seed, *key.tolist()])
        living = rng.binomial(draws, alive[row])
        x, T = seen[row, 0], seen[row, 2]
        orders = model.orders.draw_orders(rng, living, x, T, horizon_days)
        orders = orders[orders > 0]
        level = rng.gamma(shape[row], size=len(orders)) / rate[row]
        spend[row, : len(orders)] = rng.gamma(model.value.p * orders) / level
    return spend
