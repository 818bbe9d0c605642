"""Tables of `benchmarks.quality`, as Markdown."""

from collections.abc import Mapping, Sequence

from benchmarks.quality_scores import COLUMNS, Scores, difference

_COVERED = ("cover 90 %", "buyers", "top decile", "worst decile")


def table(scores: Mapping[str, Scores]) -> str:
    """A line for each method: its figures, and how often its intervals held."""
    columns = _columns(scores)
    has_intervals = any(found.coverage for found in scores.values())
    lines = _head("method", [*columns, *(_COVERED if has_intervals else ())])
    for method, found in scores.items():
        cells = [number(found.points[column]) for column in columns]
        lines.append(_row(method, [*cells, *(_covered(found) if has_intervals else ())]))
    return "\n".join(lines) + "\n"


def differences(scores: Mapping[str, Scores]) -> str:
    """The first method minus each other, with the paired 95 % interval."""
    first, *others = scores
    lines = _head(f"{first} minus", _columns(scores))
    for method in others:
        pairs = (difference(scores[first], scores[method], column) for column in _columns(scores))
        cells = [f"{number(d.point)} [{number(d.low)}, {number(d.high)}]" for d in pairs]
        lines.append(_row(method, cells))
    return "\n".join(lines) + "\n"


def number(value: float) -> str:
    """Four decimals for shares and ratios, fewer for money."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def _columns(scores: Mapping[str, Scores]) -> list[str]:
    found = next(iter(scores.values())).points
    return [column for column in COLUMNS if column in found]


def _covered(found: Scores) -> list[str]:
    held = found.coverage
    if held is None:
        return [""] * len(_COVERED)
    shares = (held.overall, held.buyers, held.deciles[-1], min(held.deciles))
    return [f"{share:.3f}" for share in shares]


def _head(first: str, names: Sequence[str]) -> list[str]:
    return [_row(first, names), _row("---", ["---"] * len(names))]


def _row(first: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"
