"""What Prometheus reads at ``/metrics``. One ``Metrics`` a process, made by wiring."""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
HTTP_BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
WORK_BUCKETS_S: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """Labels are few and bounded: route templates, never paths; models, never people."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._http = Histogram(
            "hamyon_http_request_seconds",
            "Time from a request's headers to the end of its answer.",
            ("method", "route", "status"),
            registry=registry,
            buckets=HTTP_BUCKETS_S,
        )
        self._http_children: dict[tuple[str, str, int], Histogram] = {}
        self._jobs = Histogram(
            "hamyon_job_seconds",
            "Time from a job's submission to its terminal state.",
            ("provider", "model", "state"),
            registry=registry,
            buckets=WORK_BUCKETS_S,
        )
        self._provider_calls = Histogram(
            "hamyon_provider_call_seconds",
            "One call of a provider, by what came of it.",
            ("provider", "operation", "outcome"),
            registry=registry,
            buckets=WORK_BUCKETS_S,
        )
        self._settlements = Counter(
            "hamyon_order_settlements_total",
            "Orders settled, by their terminal state.",
            ("product", "state"),
            registry=registry,
        )
        self._queue_depth = Gauge(
            "hamyon_queue_depth",
            "Entries that wait, by entrypoint.",
            ("entrypoint",),
            registry=registry,
        )
        self._queue_oldest = Gauge(
            "hamyon_queue_oldest_age_seconds",
            "Age of the oldest entry that waits.",
            ("entrypoint",),
            registry=registry,
        )
        self._audit_findings = Gauge(
            "hamyon_audit_findings",
            "Broken invariants that the last audit found.",
            registry=registry,
        )

    def http(self, method: str, route: str, status: int, duration_s: float) -> None:
        """One answered request."""
        key = (method, route, status)
        child = self._http_children.get(key)
        if child is None:
            # Looking a child up by its labels takes a lock; this runs on every request.
            child = self._http_children[key] = self._http.labels(method, route, str(status))
        child.observe(duration_s)

    def job(self, provider: str, model: str, state: str, duration_s: float) -> None:
        """One job that ended."""
        self._jobs.labels(provider, model, state).observe(duration_s)

    def provider_call(self, provider: str, operation: str, outcome: str, duration_s: float) -> None:
        """One call of a provider."""
        self._provider_calls.labels(provider, operation, outcome).observe(duration_s)

    def settlement(self, product: str, state: str) -> None:
        """One settled order."""
        self._settlements.labels(product, state).inc()

    def queue(self, entrypoint: str, depth: int, oldest_age_s: float) -> None:
        """The queue as it stands."""
        self._queue_depth.labels(entrypoint).set(depth)
        self._queue_oldest.labels(entrypoint).set(oldest_age_s)

    def audit(self, findings: int) -> None:
        """What the last audit found; an alert belongs on anything above 0."""
        self._audit_findings.set(findings)

    def render(self) -> bytes:
        """The text of ``/metrics``, of type ``CONTENT_TYPE``."""
        return generate_latest(self.registry)
