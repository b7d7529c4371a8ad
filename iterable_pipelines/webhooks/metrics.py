"""What the receiver counts, for Prometheus. No number tells of a person."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from iterable_pipelines.hours import now
from iterable_pipelines.webhooks.spool import Level

_BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)


class Metrics:
    """The counters of one receiver."""

    def __init__(self) -> None:
        # when each counter was made is nothing to look at
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self.received = self._counter("received", "Bodies that are durable and were answered with a 2xx")
        self.replayed = self._counter("replayed", "Bodies among them that waited in the spool already")
        self.unreadable = self._counter("unreadable", "Bodies among them that are no event, and were put aside")
        self._refused = Counter(
            "iterable_webhooks_refused", "Requests refused, by the status", ["status"], registry=self._registry
        )
        self.commit_bodies = self._histogram("commit_bodies", "Bodies of one commit", _BATCHES)
        self.commit_seconds = self._histogram("commit_seconds", "How long a commit took", _SECONDS)
        self._queued = self._gauge("spool_queued", "Bodies that wait to be landed")
        self._aside = self._gauge("spool_aside", "Bodies that were put aside")
        self._bytes = self._gauge("spool_bytes", "Bytes of disk that the bodies take")
        self._oldest = self._gauge("spool_oldest_seconds", "Age of the oldest body that waits to be landed")
        self._writable = self._gauge("spool_writable", "1 while bodies can be made durable, else 0")

    def refused(self, status: int) -> None:
        """A request was answered with this status, 400 or more."""
        self._refused.labels(status).inc()

    def text(self, level: Level | None, writable: bool) -> bytes:
        """Everything in Prometheus' text format, with the level of the spool as it is now, where it can be read."""
        if level:
            self._queued.set(level.queued)
            self._aside.set(level.aside)
            self._bytes.set(level.bytes)
            self._oldest.set(age(level))
        self._writable.set(writable)
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(f"iterable_webhooks_{name}", text, registry=self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"iterable_webhooks_{name}", text, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"iterable_webhooks_{name}", text, buckets=buckets, registry=self._registry)


def age(level: Level) -> float:
    """Seconds for which the oldest queued body has waited; 0 where none waits."""
    return max(0.0, (now() - level.oldest).total_seconds()) if level.oldest else 0.0
