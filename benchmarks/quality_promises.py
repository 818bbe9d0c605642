"""What Setia promises of its models on real data, and whether `benchmarks.quality` found it so."""

from collections.abc import Iterator, Mapping

from benchmarks.quality_rivals import LIFETIMES, LIGHTGBM, MBG
from benchmarks.quality_scores import HIGHER_IS_BETTER, Scores, difference

_MARGINS = {"AUC": 0.003, "Brier": 0.001, "orders RMSE": 0.01, "spend Gini": 0.005}
"""How much worse than the best single family at most; orders RMSE as a share of it."""
_LEAK_AUC = 0.03
_BOUNDS: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "cdnow-w65": {
        "AUC": (0.839, 1.0),
        "Brier": (0.0, 0.0890),
        "ECE": (0.0, 0.03),
        "orders RMSE": (0.0, 0.62),
        "spend RMSE": (0.0, 31.0),
        "spend Gini": (0.78, 1.0),
    },
    "cdnow-w52": {"ECE": (0.0, 0.03)},
    "cdnow-39-39": {
        "AUC": (0.767, 1.0),
        "spend RMSE": (0.0, 93.0),
        "spend Gini": (0.72, 1.0),
        "spend total": (0.9, 1.1),
    },
}
"""Lowest and highest figure by split and column."""
_COVERED = ("cdnow-w52", "cdnow-w65", "online-retail-june", "online-retail-september")


def promises(name: str, ours: Scores, rivals: Mapping[str, Scores]) -> list[str]:
    """One line for each promise about the split, beginning with PASS or MISS."""
    families = {method: found for method, found in rivals.items() if method != LIFETIMES}
    checked = [
        *(_not_worse(column, ours, families) for column in _MARGINS),
        _clearly_better(ours, families),
        _no_leak(ours, families),
        *(_within(column, ours, *ends) for column, ends in _BOUNDS.get(name, {}).items()),
        *(_intervals(ours) if name in _COVERED else ()),
    ]
    return [f"{'PASS' if good else 'MISS'} {said}" for good, said in checked]


def _gain(column: str, ours: Scores, theirs: Scores) -> tuple[float, float, float]:
    """How much better ours is, with its interval; as a share for orders RMSE."""
    found = difference(ours, theirs, column)
    scale = theirs.points[column] if column == "orders RMSE" else 1.0
    if column in HIGHER_IS_BETTER:
        return found.point / scale, found.low / scale, found.high / scale
    return -found.point / scale, -found.high / scale, -found.low / scale


def _not_worse(column: str, ours: Scores, families: Mapping[str, Scores]) -> tuple[bool, str]:
    sign = 1.0 if column in HIGHER_IS_BETTER else -1.0
    best = max(families, key=lambda method: sign * families[method].points[column])
    point, low, high = _gain(column, ours, families[best])
    margin = _MARGINS[column]
    said = (
        f"{column} {ours.points[column]:.4f}, best family {best} "
        f"{families[best].points[column]:.4f}: better by {point:+.4f} [{low:+.4f}, {high:+.4f}] "
        f"(at least {-margin})"
    )
    return point >= -margin, said


def _clearly_better(ours: Scores, families: Mapping[str, Scores]) -> tuple[bool, str]:
    clear = [
        f"{method} in {column} {point:+.4f} [{low:+.4f}, {high:+.4f}]"
        for method in (MBG, LIGHTGBM)
        if method in families
        for column in _MARGINS
        for point, low, high in [_gain(column, ours, families[method])]
        if low > 0
    ]
    return bool(clear), f"clearly better than {'; '.join(clear) if clear else 'neither'}"


def _no_leak(ours: Scores, families: Mapping[str, Scores]) -> tuple[bool, str]:
    best = max(found.points["AUC"] for found in families.values())
    gain = ours.points["AUC"] - best
    return gain < _LEAK_AUC, f"AUC gain {gain:+.4f} is no suspected leak (below {_LEAK_AUC})"


def _within(column: str, ours: Scores, lowest: float, highest: float) -> tuple[bool, str]:
    found = ours.points[column]
    return lowest <= found <= highest, f"{column} {found:.4f} within {lowest:g} to {highest:g}"


def _intervals(ours: Scores) -> Iterator[tuple[bool, str]]:
    held = ours.coverage
    if held is None:
        yield False, "no intervals for value"
        return
    top, worst = held.deciles[-1], min(held.deciles)
    yield 0.85 <= top <= 0.96, f"90 % intervals cover {top:.3f} of the top decile (.85 to .96)"
    yield worst >= 0.85, f"and {worst:.3f} in the worst decile (at least .85)"
