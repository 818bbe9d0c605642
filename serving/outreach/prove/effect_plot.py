"""The effect over time as a picture: the difference between the arms, and where it may lie."""

from pathlib import Path

import numpy as np

from serving.outreach.prove.effect_shapes import EffectReport


def plot_effect(report: EffectReport, path: Path) -> None:
    """Draw the difference in retention with its confidence sequence by day, as PNG, to `path`."""
    from matplotlib.figure import Figure

    points = [point for point in report.daily if point.low is not None and point.high is not None]
    days = np.array([point.day for point in points], dtype="datetime64[D]")
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    lows = [100 * (point.low or 0.0) for point in points]
    highs = [100 * (point.high or 0.0) for point in points]
    axes.fill_between(days, lows, highs, alpha=0.25, label="95 % confidence sequence")
    axes.plot(days, [100 * point.difference for point in points], label="contacted - held out")
    axes.axhline(0, color="black", linewidth=0.8)
    made = " (generated data)" if report.generated else ""
    axes.set_title(f"What contact changed: programme {report.programme}{made}")
    axes.set_ylabel("customers who stayed, percentage points")
    axes.set_xlabel("customers whose horizon ended by this day")
    axes.legend(loc="upper right")
    figure.autofmt_xdate()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=150)
