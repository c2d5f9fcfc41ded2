"""``GET /metrics``: dashapp's own figures in Prometheus text format."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashapp.services import Services


class _Figures:
    def __init__(self, services: Services, sessions: Callable[[], int]) -> None:
        self._services, self._sessions = services, sessions

    def collect(self) -> Iterator[Metric]:
        hub = self._services.hub
        yield GaugeMetricFamily("dashapp_sessions", "Page sessions that the server holds.", value=self._sessions())
        yield GaugeMetricFamily("dashapp_live_viewers", "Viewers that live ticks are sent to.", value=hub.viewers)
        yield GaugeMetricFamily("dashapp_live_windows", "Distinct queries kept up to date for them.", value=hub.windows_held)
        cached = self._services.cached
        yield CounterMetricFamily("dashapp_query_cache_hits", "Queries answered from the cache.", value=cached.hits)
        yield CounterMetricFamily("dashapp_query_cache_misses", "Queries answered by the database.", value=cached.misses)
        ingest = self._services.ingest
        yield CounterMetricFamily("dashapp_samples_written", "Samples committed.", value=ingest.samples_written)
        yield GaugeMetricFamily("dashapp_samples_waiting", "Samples that wait for their commit.", value=ingest.waiting)
        left_out = CounterMetricFamily(
            "dashapp_samples_left_out", "Samples that a protocol brought and that were left out.", labels=["protocol", "reason"]
        )
        for labels, count in sorted(ingest.left_out.items()):
            left_out.add_metric(labels, count)
        yield left_out


def registry(services: Services, sessions: Callable[[], int]) -> CollectorRegistry:
    """The figures of one server; `sessions` counts its page sessions."""
    made = CollectorRegistry()
    made.register(_Figures(services, sessions))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=made)
    return made
