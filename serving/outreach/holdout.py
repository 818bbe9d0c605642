"""Who is never contacted, so that the effect of contact can be seen; and how small it may be."""

import hmac
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

DEFAULT_SHARE = 0.05
_SHORTEST_KEY = 16
_SCALE = 2.0**-64
_POWER = 0.8


class HoldoutError(ValueError):
    """A holdout that cannot be drawn or measured; the message says what to change."""


class HeldOut(RuntimeError):
    """Somebody was about to contact a held-out customer."""


@dataclass(frozen=True)
class Holdout:
    """A programme's persistent random holdout: a pure function of key, programme and customer.

    Raising `share` keeps everybody held out who was; another `programme` draws anew.
    """

    key: bytes
    """Secret of at least 16 bytes; whoever knows it can tell who is held out."""
    programme: str
    share: float = DEFAULT_SHARE

    def __post_init__(self) -> None:
        if len(self.key) < _SHORTEST_KEY:
            raise HoldoutError(
                f"the holdout key has {len(self.key)} bytes; give at least {_SHORTEST_KEY}, at "
                "random, and never change it: another key is another holdout"
            )
        if not 0 < self.share < 1:
            raise HoldoutError(f"a holdout share of {self.share} is not between 0 and 1; try 0.05")

    def holds(self, *identities: str) -> bool:
        """Whether the customer known by all of `identities` is held out.

        A merged customer is held out as soon as one of the merged identities was.
        """
        if not identities:
            raise HoldoutError("a customer without an identity cannot be held out or contacted")
        return any(keyed_fraction(self.key, self.programme, one) < self.share for one in identities)

    def refuse(self, *identities: str) -> None:
        """Raise HeldOut if the customer is held out: the check at the send boundary."""
        if self.holds(*identities):
            raise HeldOut(
                f"customer {identities[0]!r} is held out of programme {self.programme!r}; the "
                "message was not sent: remove it from the queue"
            )


@dataclass(frozen=True)
class Stratum:
    """How many of a group of customers the holdout took."""

    customers: int
    held_out: int
    expected: float
    is_odd: bool
    """Further from what is expected than chance goes once in 1,000 draws."""


def keyed_fraction(key: bytes, purpose: str, customer_id: str) -> float:
    """A uniform number in [0, 1] by HMAC-SHA256: the same for ever, and unguessable without `key`.

    Draws for different purposes are independent.
    """
    # The length keeps purpose 'a' of customer 'b1' apart from purpose 'ab' of customer '1'.
    message = f"{len(purpose)}:{purpose}{customer_id}".encode()
    return int.from_bytes(hmac.digest(key, message, "sha256")[:8], "big") * _SCALE


def holdout_report(holdout: Holdout, stratum_of: Mapping[str, str]) -> dict[str, Stratum]:
    """Stratum to how many of its customers are held out; `stratum_of` maps customer to stratum."""
    customers = Counter(stratum_of.values())
    held_out = Counter(name for one, name in stratum_of.items() if holdout.holds(one))
    return {
        name: _stratum(customers[name], held_out[name], holdout.share) for name in sorted(customers)
    }


def smallest_detectable_effect(
    customers: int, base_rate: float, share: float = DEFAULT_SHARE
) -> float:
    """The smallest change of `base_rate`, in absolute points, that this holdout can show.

    Found four times in five by a two-sided test at 5 %; `customers` are those eligible,
    both arms together. Source: the normal approximation for two proportions, both with the
    variance of the base rate (Fleiss, Levin and Paik 2003, chapter 4).
    """
    for name, rate in (("base rate", base_rate), ("holdout share", share)):
        if not 0 < rate < 1:
            raise HoldoutError(f"a {name} of {rate} is not between 0 and 1")
    held_out = customers * share
    if held_out < 1:
        raise HoldoutError(f"{share:.1%} of {customers} customers hold nobody out; raise the share")
    spread = base_rate * (1 - base_rate) * (1 / held_out + 1 / (customers - held_out))
    normal = NormalDist()
    return (normal.inv_cdf(0.975) + normal.inv_cdf(_POWER)) * math.sqrt(spread)


def _stratum(customers: int, held_out: int, share: float) -> Stratum:
    expected = customers * share
    limit = NormalDist().inv_cdf(0.9995) * math.sqrt(expected * (1 - share))
    # One customer more or less is never odd, however small the stratum.
    return Stratum(customers, held_out, expected, abs(held_out - expected) > limit + 1)
