"""Windows that mean one thing in every training row and another once the model is asked."""

from datetime import datetime

import numpy as np

from features.catalogue import feature_named
from training.dataset import Dataset

_FILLED = 0.9
_LEFT_OUT = 0.25


def blank_unfilled(train: Dataset, first: datetime, asked: datetime) -> None:
    """Make windows that fill up only by `asked` NaN in `train`, so that they teach nothing.

    While the data is younger than 180 days, the orders of the last 180 days are all there are.
    Later they leave out a customer's first orders and mean something else, which no row has taught.
    So a window goes that no training cutoff fills to nine tenths, counted from the data's `first`
    time, and that leaves out a quarter of the history or more at `asked`.
    """
    start, end = (np.datetime64(at.replace(tzinfo=None), "us") for at in (first, asked))
    taught, whole = ((at - start) / np.timedelta64(1, "D") for at in (train.cutoff.max(), end))
    reach = np.array([feature_named(name).reach_days or 0 for name in train.contract.names])
    # In place: a copy of the rows would be as large as the rows themselves.
    train.X[:, (taught < _FILLED * reach) & (reach <= (1.0 - _LEFT_OUT) * whole)] = np.nan
