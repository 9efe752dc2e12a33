"""The service's counters and timings, as Prometheus metrics."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

TYPE = CONTENT_TYPE_LATEST
STAGE_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
REQUEST_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


@dataclass(frozen=True)
class Measured:
    """A gauge: `values` maps the values of its `labels` -> number."""

    name: str
    help: str
    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float]


class Metrics:
    """Those of one installation being served; thread-safe."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._exporting = threading.Lock()
        self._requests = Counter(
            "polylens_requests",
            "Requests answered, by route and status.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "polylens_request_seconds",
            "Time to the end of the answer, by route.",
            ("method", "route"),
            registry=self._registry,
            buckets=REQUEST_SECONDS,
        )
        self._stages = Histogram(
            "polylens_stage_seconds",
            "Time in one stage of a query: queue, preprocess, forward, search, rescore, rerank, "
            "serialise, and others.",
            ("stage",),
            registry=self._registry,
            buckets=STAGE_SECONDS,
        )
        self._gauges: dict[str, Gauge] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request came to its end."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)

    def timed(self, stage: str, seconds: float) -> None:
        """One stage of a query took so long."""
        self._stages.labels(stage).observe(seconds)

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Time what is done inside."""
        begun = time.perf_counter()
        yield
        self.timed(stage, time.perf_counter() - begun)

    def export(self, measured: Sequence[Measured]) -> bytes:
        """Everything as text, with what was measured just now."""
        with self._exporting:
            for one in measured:
                self._set(one)
            return generate_latest(self._registry)

    def _set(self, one: Measured) -> None:
        gauge = self._gauges.get(one.name)
        if gauge is None:
            name = f"polylens_{one.name}"
            gauge = Gauge(name, one.help, one.labels, registry=self._registry)
            self._gauges[one.name] = gauge
        if one.labels:
            gauge.clear()
        for labels, number in one.values.items():
            (gauge.labels(*labels) if labels else gauge).set(number)
