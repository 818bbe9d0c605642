"""Prometheus metrics of the service: requests by route, and how old the served scores are.

BentoML's own request metrics would label every path, customer ids included; these name routes.
"""

import os

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import Scope

from serving.api.access_log import route_of
from serving.served import Served

_PROBES = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The service's measurements, over all workers when PROMETHEUS_MULTIPROC_DIR is set."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "setia_http_request_duration_seconds",
            "Time from a request's arrival to the end of its answer.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._measured: dict[tuple[str, str, int], Histogram] = {}
        """Kept, since looking one up by its labels costs as much as measuring."""
        self._cutoff = Gauge(
            "setia_score_cutoff_timestamp_seconds",
            "The cutoff of the served scores.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self._customers = Gauge(
            "setia_served_customers",
            "Customers in the served online snapshot.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self._keys_required = Gauge(
            "setia_api_keys_required",
            "1 when every request needs an API key, 0 while none exists and local ones need none.",
            registry=self.registry,
            multiprocess_mode="livemin",
        )

        self._refused = Gauge(
            "setia_newer_version_refused",
            "1 while newer files wait that cannot be served, and older ones are; else 0.",
            registry=self.registry,
            multiprocess_mode="livemax",
        )

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one answered request under its route's template."""
        if scope["path"] not in _PROBES:
            key = scope["method"], route_of(scope), status
            measured = self._measured.get(key)
            if measured is None:
                measured = self._measured[key] = self._seconds.labels(*_labels(*key))
            measured.observe(seconds)

    def serving(self, served: Served) -> None:
        """Note what is served from now on."""
        about = served.snapshot.about
        self._customers.set(about.customers)
        if about.cutoff:
            self._cutoff.set(about.cutoff.timestamp())

    def guarded(self, *, required: bool) -> None:
        """Note whether API keys are required from now on."""
        self._keys_required.set(required)

    def refused(self, reason: str | None) -> None:
        """Note why newer files are not served, or that none wait."""
        self._refused.set(reason is not None)

    def text(self) -> bytes:
        """All measurements in Prometheus text format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _labels(method: str, route: str, status: int) -> tuple[str, str, str]:
    return method if method in _METHODS else "other", route, str(status)
