"""What contact changed: contacted against held out, by intention to treat, safe to watch daily."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

LEVEL = 0.95
ODD_RATIO = 0.001
_PRIOR_CUSTOMERS = 1_000.0
_FEWEST = 30


class EffectError(ValueError):
    """Counts from which no effect can be read; the message says what is wrong."""


@dataclass(frozen=True)
class Arm:
    """Sums over the customers assigned to one arm, whether or not a message reached them."""

    customers: int = 0
    outcome: float = 0.0
    outcome_squared: float = 0.0
    before: float = 0.0
    """Sum of the covariate, known before assignment (value of the period before, or a score)."""
    before_squared: float = 0.0
    product: float = 0.0
    """Sum of outcome times covariate."""

    def __add__(self, other: "Arm") -> "Arm":
        return Arm(
            self.customers + other.customers,
            self.outcome + other.outcome,
            self.outcome_squared + other.outcome_squared,
            self.before + other.before,
            self.before_squared + other.before_squared,
            self.product + other.product,
        )

    def variance(self) -> float:
        """Variance of the outcome."""
        return _spread(self.customers, self.outcome, self.outcome, self.outcome_squared)

    def covariate_variance(self) -> float:
        """Variance of the covariate."""
        return _spread(self.customers, self.before, self.before, self.before_squared)

    def covariance(self) -> float:
        """Covariance of outcome and covariate."""
        return _spread(self.customers, self.outcome, self.before, self.product)


def arm_of(rows: Iterable[tuple[float, float]]) -> Arm:
    """The arm of customers given as (outcome, covariate)."""
    kept = list(rows)
    return Arm(
        customers=len(kept),
        outcome=math.fsum(y for y, _ in kept),
        outcome_squared=math.fsum(y * y for y, _ in kept),
        before=math.fsum(x for _, x in kept),
        before_squared=math.fsum(x * x for _, x in kept),
        product=math.fsum(y * x for y, x in kept),
    )


@dataclass(frozen=True)
class Effect:
    """Mean outcome of those assigned to contact less that of those held out."""

    difference: float
    low: float
    high: float
    """A confidence sequence (95 % unless told): its intervals, on whatever days, hold together."""
    contacted: int
    """Customers assigned to contact."""
    held_out: int
    ratio_p_value: float
    """Anytime-valid p-value that the arms have the share they were drawn with."""

    @property
    def customers(self) -> int:
        """Both arms together."""
        return self.contacted + self.held_out

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0

    @property
    def is_ratio_odd(self) -> bool:
        """Whether customers leaked from an arm: then no effect should be believed."""
        return self.ratio_p_value < ODD_RATIO

    def sentence(self, cost: float, currency: str) -> str:
        """The effect on retention in plain words; `cost` is that of all contacts so far.

        The outcome must be 1 for a customer who stayed and 0 for one who left.
        """
        if self.is_ratio_odd:
            return (
                "Nothing can be said: the arms are not of the sizes they were drawn with (p = "
                f"{self.ratio_p_value:.1g}); find out who is missing from one of them."
            )
        if not self.is_sure:
            return f"Nothing can be said yet; {self._needs()}."
        low, high = sorted((abs(self.low), abs(self.high)))
        said = (
            f"{_of_1000(abs(self.difference))} of 1,000, 95 % interval {_of_1000(low)} to "
            f"{_of_1000(high)}"
        )
        if self.high < 0:
            return f"Contact drove away {said}; stop it."
        each = cost / (self.difference * self.contacted)
        return f"Contact kept {said}; costs {each:,.0f} {currency} per kept customer."

    def _needs(self) -> str:
        reach = (self.high - self.low) / 2
        if not math.isfinite(reach) or self.difference == 0:
            return f"at least {_FEWEST} customers with varied outcomes are needed in each arm"
        more = self.customers * ((reach / self.difference) ** 2 - 1)
        return f"an effect of the size seen needs about {_rounded(more):,} more customers"


def measure_effect(
    contacted: Arm, held_out: Arm, share: float, planned: int, level: float = LEVEL
) -> Effect:
    """The intention-to-treat effect so far, adjusted by the covariate (CUPED).

    `share` is the holdout's, `planned` the number of customers, both arms together, at which the
    interval is to be tightest; both are fixed before the first look. Look as often as you like:
    with probability `level` the true effect is in every interval. Nothing is said (an infinite
    interval) below 30 customers in an arm.

    Sources: Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (2024), "Time-uniform central limit
    theory and asymptotic confidence sequences", theorem 2.2 and equation 12, on the difference of
    means; Deng, Xu, Kohavi and Walker (2013) for CUPED.

    Raises EffectError for a share outside (0, 1) or a plan of nobody.
    """
    if not 0 < share < 1 or planned < 1:
        raise EffectError(f"share {share} must be in (0, 1) and planned {planned} at least 1")
    arms, counts = (contacted, held_out), (contacted.customers, held_out.customers)
    ratio = _ratio_p_value(*counts, share)
    if min(counts) < _FEWEST:
        seen = _mean(contacted) - _mean(held_out) if all(counts) else 0.0
        return Effect(seen, -math.inf, math.inf, *counts, ratio)
    slope = _slope(contacted, held_out)
    gap = contacted.before / contacted.customers - held_out.before / held_out.customers
    difference = _mean(contacted) - _mean(held_out) - slope * gap
    error = math.sqrt(sum(_adjusted_variance(arm, slope) / arm.customers for arm in arms))
    # Two arms without any variation prove nothing: nobody has been lost yet.
    reach = _stretch(sum(counts), planned, 1 - level) * error if error > 0 else math.inf
    return Effect(difference, difference - reach, difference + reach, *counts, ratio)


def _stretch(customers: int, planned: int, alpha: float) -> float:
    """By how many standard errors the sequence reaches out; a single look at 5 % takes 1.96."""
    tuned = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / planned
    grown = customers * tuned + 1
    return math.sqrt(2 * grown / (customers * tuned) * math.log(math.sqrt(grown) / alpha))


def _ratio_p_value(contacted: int, held_out: int, share: float) -> float:
    """1 over the Bayes factor of any other share, by a beta prior centred on `share`.

    Never below 0.001 on any day, but with probability 0.001, when arms are as drawn. Source:
    Lindon and Malek (2022), "Anytime-valid inference for multinomial count data".
    """
    a, b = _PRIOR_CUSTOMERS * share, _PRIOR_CUSTOMERS * (1 - share)
    log_factor = (
        _log_beta(a + held_out, b + contacted)
        - _log_beta(a, b)
        - held_out * math.log(share)
        - contacted * math.log1p(-share)
    )
    return math.exp(-max(0.0, log_factor))


def _slope(contacted: Arm, held_out: Arm) -> float:
    """Outcome per unit of the covariate, within arms."""
    arms = (contacted, held_out)
    spread = sum(arm.covariate_variance() * arm.customers for arm in arms)
    return sum(arm.covariance() * arm.customers for arm in arms) / spread if spread > 0 else 0.0


def _adjusted_variance(arm: Arm, slope: float) -> float:
    found = arm.variance() - 2 * slope * arm.covariance() + slope**2 * arm.covariate_variance()
    return max(0.0, found)


def _spread(count: int, first: float, second: float, product: float) -> float:
    return (product - first * second / count) / (count - 1) if count > 1 else 0.0


def _mean(arm: Arm) -> float:
    return arm.outcome / arm.customers


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _of_1000(rate: float) -> str:
    return f"{1_000 * rate:.0f}"


def _rounded(count: float) -> int:
    """Two significant digits, upwards."""
    step = int(10 ** max(0, math.floor(math.log10(max(count, 1))) - 1))
    return math.ceil(count / step) * step
