"""Who was erased, known by a keyed hash alone: their rows are left out wherever rows are read."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True)
class Forgotten:
    """The hashes of erased customer ids: `customer_id in forgotten`.

    SHA-256 of a secret random key followed by the id, which SQL engines work out too. Whoever has
    the key can tell whether a given id was erased, and nobody can list the ids.
    """

    key: str = ""
    """Hexadecimal."""
    digests: frozenset[str] = frozenset()

    def digest(self, customer_id: str) -> str:
        """The hash by which the customer is known."""
        return sha256((self.key + customer_id).encode()).hexdigest()

    def __contains__(self, customer_id: str) -> bool:
        return bool(self.digests) and self.digest(customer_id) in self.digests

    def __bool__(self) -> bool:
        return bool(self.digests)

    def condition(self, column: str) -> str:
        """SQL (DuckDB) for whether `column` holds the id of somebody erased."""
        known = ", ".join(f"'{digest}'" for digest in sorted(self.digests))
        return f"sha256('{self.key}' || {column}) IN ({known})"


NOBODY = Forgotten()
