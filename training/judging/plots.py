"""Pictures of an evaluation, written as PNG files for the tracking server and the model card."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from features.catalogue import feature_named
from training.evaluate import ChurnEvaluation, ValueEvaluation
from training.intervals import LEVEL
from training.judging.curves import Bin, Coverage, Gains

MODEL_COLOUR, REFERENCE_COLOUR = "#1f5f8b", "#9a9a9a"
_TOP_FEATURES = 15
_LONGEST_WORDS = 62


def draw_churn(evaluation: ChurnEvaluation, folder: Path, *, generated: bool) -> list[Path]:
    """Write reliability.png and gains.png into `folder`; returns their paths."""
    return [
        _reliability(evaluation, folder / "reliability.png", generated),
        _gains(evaluation.gains, evaluation.base_rate, folder / "gains.png", generated),
    ]


def draw_value(
    evaluation: ValueEvaluation, folder: Path, *, currency: str, horizon_days: int, generated: bool
) -> Path:
    """Write value_deciles.png into `folder`: CLV said and brought in, by predicted decile."""
    figure, axes = canvas(f"CLV by predicted decile ({horizon_days} days)", generated)
    deciles: Sequence[Bin] = evaluation.deciles
    places = range(1, len(deciles) + 1)
    left, right = ([place + side for place in places] for side in (-0.2, 0.2))
    axes.bar(left, [d.predicted for d in deciles], 0.4, color=MODEL_COLOUR, label="predicted")
    axes.bar(right, [d.actual for d in deciles], 0.4, color=REFERENCE_COLOUR, label="brought in")
    axes.set_xticks(list(places))
    axes.set_xlabel("decile of predicted CLV (10 is highest)")
    axes.set_ylabel(f"mean net contribution per customer ({currency})")
    axes.legend(frameon=False, loc="upper left")
    return written(figure, folder / "value_deciles.png")


def draw_coverage(coverage: Coverage, folder: Path, *, generated: bool) -> Path:
    """Write coverage.png into `folder`: how often the 90 % interval held, by predicted decile."""
    figure, axes = canvas("Coverage of the 90 % CLV interval by predicted decile", generated)
    places = list(range(1, len(coverage.deciles) + 1))
    axes.plot(places, [d.actual for d in coverage.deciles], "o", color=MODEL_COLOUR)
    _whiskers(axes, places, coverage.deciles)
    axes.axhline(LEVEL, color=REFERENCE_COLOUR, linestyle="--", label="promised")
    axes.set_xticks(places)
    axes.set_ylim(top=1.01)
    axes.set_xlabel("decile of predicted CLV (10 is highest)")
    axes.set_ylabel("share of customers inside their interval")
    axes.legend(frameon=False, loc="lower right")
    return written(figure, folder / "coverage.png")


def draw_features(
    importance: Mapping[str, float], folder: Path, *, target: str, generated: bool
) -> Path:
    """Write top_features_<target>.png: the fifteen features that matter most, in words.

    `importance` maps a feature's name to any non-negative measure; it is shown as a share.
    """
    total = sum(importance.values()) or 1.0
    top = sorted(importance.items(), key=lambda item: (-item[1], item[0]))[:_TOP_FEATURES][::-1]
    figure, axes = canvas(f"What the {target} model goes by", generated, height=6.0)
    shares = [100 * part / total for _, part in top]
    axes.barh(range(len(top)), shares, color=MODEL_COLOUR)
    axes.set_yticks(range(len(top)), [_words(name) for name, _ in top])
    axes.tick_params(axis="y", labelsize=8)
    axes.set_xlabel("share of all features' importance (%)")
    return written(figure, folder / f"top_features_{target}.png")


def _reliability(evaluation: ChurnEvaluation, path: Path, generated: bool) -> Path:
    figure, axes = canvas("Reliability of the churn propensity", generated)
    bins = evaluation.reliability
    limit = 1.04 * max(max(b.predicted, b.high) for b in bins)
    axes.plot([0, 1], [0, 1], color=REFERENCE_COLOUR, linestyle="--", label="perfectly calibrated")
    axes.plot(
        [b.predicted for b in bins],
        [b.actual for b in bins],
        "o-",
        color=MODEL_COLOUR,
        label="model",
    )
    _whiskers(axes, [b.predicted for b in bins], bins)
    axes.set_xlim(0, min(limit, 1))
    axes.set_ylim(0, min(limit, 1.02))
    axes.set_xlabel("mean propensity of the bin")
    axes.set_ylabel(f"share that churned ({evaluation.rows:,} customers, ten bins)")
    axes.legend(frameon=False, loc="upper left")
    return written(figure, path)


def _whiskers(axes: Axes, places: Sequence[float], bins: Sequence[Bin]) -> None:
    """The 95 % interval of what happened, from chance in each bin."""
    lows, highs = [b.low for b in bins], [b.high for b in bins]
    axes.vlines(places, lows, highs, color=MODEL_COLOUR, linewidth=1.2, alpha=0.7)


def _gains(curve: Gains, base_rate: float, path: Path, generated: bool) -> Path:
    figure, axes = canvas("Churners found by contacting the riskiest first", generated)
    axes.plot(
        [0, 100 * base_rate, 100], [0, 100, 100], ":", color=REFERENCE_COLOUR, label="perfect"
    )
    axes.plot(100 * curve.contacted, 100 * curve.found, color=MODEL_COLOUR, label="model")
    axes.plot([0, 100], [0, 100], "--", color=REFERENCE_COLOUR, label="at random")
    axes.set_xlabel("customers contacted, riskiest first (%)")
    axes.set_ylabel("churners among them (% of all churners)")
    axes.legend(frameon=False, loc="lower right")
    return written(figure, path)


def canvas(title: str, generated: bool, height: float = 4.6) -> tuple[Figure, Axes]:
    """A figure with a title that says when its data is generated."""
    figure = Figure(figsize=(7.2, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(f"{title}\ngenerated data" if generated else title)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def written(figure: Figure, path: Path) -> Path:
    """Write the figure, the same bytes for the same figure, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
    return path


def _words(name: str) -> str:
    meaning: str = feature_named(name).meaning
    return meaning if len(meaning) <= _LONGEST_WORDS else f"{meaning[: _LONGEST_WORDS - 1]}…"
