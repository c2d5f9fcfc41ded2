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
    def __init__(self, services: Services, sessions: Callable[[], int], boards: Callable[[], int]) -> None:
        self._services, self._sessions, self._boards = services, sessions, boards

    def collect(self) -> Iterator[Metric]:
        hub = self._services.hub
        yield GaugeMetricFamily("dashapp_sessions", "Page sessions that the server holds.", value=self._sessions())
        yield GaugeMetricFamily("dashapp_boards", "Dashboards held drawn, for pages and a minute longer.", value=self._boards())
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
        yield from self._alerts()

    def _alerts(self) -> Iterator[Metric]:
        judging, sent = self._services.evaluator.figures, self._services.sender.figures
        yield GaugeMetricFamily("dashapp_alert_leading", "Whether this process judges alert rules.", value=judging.leading)
        yield GaugeMetricFamily("dashapp_alert_rules", "Rules judged at the last tick.", value=judging.rules)
        yield GaugeMetricFamily("dashapp_alert_rules_failing", "Rules that couldn't be judged then.", value=judging.failing)
        yield GaugeMetricFamily("dashapp_alert_pass_seconds", "How long the last pass over the rules took.", value=judging.seconds)
        yield GaugeMetricFamily(
            "dashapp_alert_last_tick_seconds", "The last tick judged, Unix time.", value=judging.last_tick / 1000
        )
        yield CounterMetricFamily("dashapp_alert_ticks", "Ticks judged.", value=judging.ticks)
        yield CounterMetricFamily("dashapp_alert_ticks_late", "Ticks judged only after the next had come.", value=judging.late)
        yield CounterMetricFamily("dashapp_notifications_delivered", "Notifications delivered.", value=sent.delivered)
        yield CounterMetricFamily("dashapp_notifications_failed", "Attempts to notify that failed.", value=sent.failed)
        reported = self._services.report_runner.figures
        yield CounterMetricFamily("dashapp_reports_delivered", "Scheduled reports delivered.", value=reported.delivered)
        yield CounterMetricFamily("dashapp_reports_failed", "Attempts to deliver one that failed.", value=reported.failed)
        alerts = GaugeMetricFamily("ALERTS", "Instances of alert rules by state.", labels=["rule", "severity", "state"])
        for one in self._services.active_alerts.now:
            alerts.add_metric([one.rule, one.severity, one.state], one.instances)
        yield alerts


def registry(services: Services, sessions: Callable[[], int], boards: Callable[[], int]) -> CollectorRegistry:
    """The figures of one server; `sessions` counts its page sessions, `boards` the dashboards that it holds drawn."""
    made = CollectorRegistry()
    made.register(_Figures(services, sessions, boards))
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=made)
    return made
