"""What the service counts and times, in Prometheus' words."""

import threading
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

TYPE = CONTENT_TYPE_LATEST
STAGE_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
REQUEST_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)


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
            "serialise.",
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

    def export(self, gauges: Mapping[str, tuple[str, str, Mapping[str, float]]]) -> bytes:
        """Everything as text; `gauges` maps name -> (help, label name, label value -> value)."""
        with self._exporting:
            for name, (text, label, values) in gauges.items():
                gauge = self._gauges.get(name)
                if gauge is None:
                    gauge = Gauge(f"polylens_{name}", text, (label,), registry=self._registry)
                    self._gauges[name] = gauge
                gauge.clear()
                for value, number in values.items():
                    gauge.labels(value).set(number)
            return generate_latest(self._registry)
