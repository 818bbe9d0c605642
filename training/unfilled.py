"""Windows that mean one thing in every training row and another once the model is asked."""

from dataclasses import replace
from datetime import datetime

import numpy as np

from features.catalogue import feature_named
from training.dataset import Dataset

_FILLED = 0.9
_LEFT_OUT = 0.25


def without_unfilled(train: Dataset, first: datetime, asked: datetime) -> Dataset:
    """`train`, where windows that fill up only by `asked` are NaN and so teach nothing.

    While the data is younger than 180 days, the orders of the last 180 days are all there are.
    Later they leave out a customer's first orders and mean something else, which no row has taught.
    So a window goes that no training cutoff fills to nine tenths, counted from the data's `first`
    time, and that leaves out a quarter of the history or more at `asked`.
    """
    start, end = (np.datetime64(at.replace(tzinfo=None), "us") for at in (first, asked))
    taught, whole = ((at - start) / np.timedelta64(1, "D") for at in (train.cutoff.max(), end))
    lookback = np.array([feature_named(name).lookback_days or 0 for name in train.contract.names])
    gone = (taught < _FILLED * lookback) & (lookback <= (1.0 - _LEFT_OUT) * whole)
    if not gone.any():
        return train
    X = train.X.copy()
    X[:, gone] = np.nan
    return replace(train, X=X)
