"""LightGBM's prediction of a single row, without the set-up that costs more than the trees."""

import ctypes
import threading
import weakref

import lightgbm as lgb
import numpy as np
from lightgbm.basic import _LIB, _safe_call

from training.one_or_many import Vector

_RAW_SCORE = 1
_FLOAT64 = 1


class OneRow:
    """A booster made ready for one row after the other; the same bits as its `predict`.

    Uses the C API's LGBM_BoosterPredictForMatSingleRowFast, which the Python package leaves out.
    """

    def __init__(self, booster: lgb.Booster) -> None:
        self._booster = booster  # must outlive the configuration, which points into it
        self._configured = ctypes.c_void_p()
        self._lock = threading.Lock()
        # Made once: to make them for each row would take as long as forty trees.
        self._row, self._score = np.empty(booster.num_feature()), ctypes.c_double()
        self._length = ctypes.c_int64()
        self._places = (
            self._configured,
            ctypes.c_void_p(self._row.ctypes.data),
            ctypes.byref(self._length),
            ctypes.byref(self._score),
        )
        _safe_call(
            _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,
                ctypes.c_int(_RAW_SCORE),
                ctypes.c_int(0),
                ctypes.c_int(booster.best_iteration),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(booster.num_feature()),
                b"num_threads=1",
                ctypes.byref(self._configured),
            )
        )
        weakref.finalize(self, _LIB.LGBM_FastConfigFree, self._configured)

    def raw(self, row: Vector) -> float:
        """The raw score of one row of features."""
        with self._lock:
            self._row[:] = row
            _safe_call(_LIB.LGBM_BoosterPredictForMatSingleRowFast(*self._places))
            return self._score.value
