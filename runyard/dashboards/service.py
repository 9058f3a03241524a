"""Dashboards of one service: how it does, and why it has as many instances as it has."""

from __future__ import annotations

from runyard.dashboards.panel import Dashboard, Panel, Query

SERVICE = Dashboard(
    id="service",
    title="Service",
    scope=("tenant", "service"),
    panels=(
        Panel(
            id="requests",
            title="Requests",
            unit="requests/s",
            kind="stack",
            about="By the status of their answers, over the last minute.",
            queries=(Query("sum by (code) (rate(runyard_requests_total{$scope}[1m]))", "{code}"),),
        ),
        Panel(
            id="errors",
            title="Errors",
            unit="ratio",
            about="Part of the requests that was answered with a 5xx, and the part that its objective leaves.",
            queries=(
                Query("service:runyard_errors:ratio_rate1m{$scope}", "errors"),
                Query("runyard_service_error_budget_ratio{$scope}", "budget"),
            ),
        ),
        Panel(
            id="latency",
            title="Latency",
            unit="s",
            about="From the first byte of a request to the last of its answer, over five minutes.",
            queries=tuple(
                Query(f"service:runyard_request_duration_seconds:p{each}_5m{{$scope}}", f"p{each}")
                for each in (50, 95, 99)
            ),
        ),
        Panel(
            id="instances",
            title="Instances",
            unit="instances",
            queries=(
                Query("service:runyard_instances:desired{$scope}", "wanted"),
                Query("service:runyard_instances:ready{$scope}", "ready"),
            ),
        ),
        Panel(
            id="cpu",
            title="CPU",
            unit="cores",
            queries=(
                Query("service:runyard_cpu_seconds:rate1m{$scope}", "used"),
                Query("sum(runyard_container_cpu_limit_cores{$scope})", "limit"),
            ),
        ),
        Panel(
            id="memory",
            title="Memory",
            unit="bytes",
            about="Working set: without file pages that are idle.",
            queries=(
                Query("sum(runyard_container_memory_working_set_bytes{$scope})", "used"),
                Query("sum(runyard_container_memory_limit_bytes{$scope})", "limit"),
            ),
        ),
        Panel(
            id="cold-starts",
            title="Cold starts",
            unit="count",
            about="Requests that found no instance, in five minutes.",
            queries=(Query("sum(increase(runyard_gateway_cold_start_seconds_count{$scope}[5m]))", "requests"),),
        ),
        Panel(
            id="cold-start-time",
            title="Cold start time",
            unit="s",
            about="From such a request to the first byte of its answer, over an hour.",
            queries=(Query("service:runyard_cold_start_seconds:p95_1h{$scope}", "p95"),),
        ),
        Panel(
            id="revisions",
            title="Traffic by revision",
            unit="requests/s",
            kind="stack",
            queries=(Query("revision:runyard_requests:rate1m{$scope}", "{revision}"),),
        ),
        Panel(
            id="throttled",
            title="CPU throttled",
            unit="ratio",
            about="Periods of the CPU limit that ended before the work did.",
            queries=(
                Query(
                    "sum by (revision) (rate(runyard_container_cpu_throttled_periods_total{$scope}[1m]))"
                    " / (sum by (revision) (rate(runyard_container_cpu_periods_total{$scope}[1m])) > 0)",
                    "{revision}",
                ),
            ),
        ),
        Panel(
            id="bytes",
            title="Bytes",
            unit="bytes/s",
            about="Headers included.",
            queries=(
                Query("sum(rate(runyard_request_received_bytes_total{$scope}[1m]))", "received"),
                Query("sum(rate(runyard_request_sent_bytes_total{$scope}[1m]))", "sent"),
            ),
        ),
        Panel(
            id="failures",
            title="Failed instances",
            unit="count",
            about="In five minutes.",
            queries=(
                Query("sum(increase(runyard_revision_failures_total{$scope}[5m]))", "failed"),
                Query("sum(increase(runyard_revision_oom_kills_total{$scope}[5m]))", "out of memory"),
            ),
        ),
    ),
)

AUTOSCALING = Dashboard(
    id="autoscaling",
    title="Autoscaling",
    scope=("tenant", "service"),
    panels=(
        Panel(
            id="wanted",
            title="Instances wanted",
            unit="instances",
            kind="stack",
            queries=(Query("revision:runyard_instances:desired{$scope}", "{revision}"),),
        ),
        Panel(
            id="ready",
            title="Instances ready",
            unit="instances",
            kind="stack",
            queries=(Query("revision:runyard_instances:ready{$scope}", "{revision}"),),
        ),
        Panel(
            id="most",
            title="Instances allowed",
            unit="instances",
            about="Of revisions that have a greatest number.",
            queries=(Query("runyard_revision_most_instances{$scope}", "{revision}"),),
        ),
        Panel(
            id="at-once",
            title="Requests at once",
            unit="requests",
            about="In instances on average over a minute: the time that requests took, by the time that went by.",
            queries=(
                Query("sum by (revision) (rate(runyard_request_duration_seconds_sum{$scope}[1m]))", "{revision}"),
            ),
        ),
        Panel(
            id="waiting",
            title="Requests that wait",
            unit="requests",
            queries=(Query("sum(runyard_gateway_queue_length{$scope})", "now"),),
        ),
        Panel(
            id="held",
            title="Time held",
            unit="s",
            about="How long a request waited for an instance, on average.",
            queries=(
                Query(
                    "sum(rate(runyard_request_held_seconds_total{$scope}[1m]))"
                    " / (sum(rate(runyard_requests_total{$scope}[1m])) > 0)",
                    "mean",
                ),
            ),
        ),
        Panel(
            id="cpu",
            title="CPU of its limit",
            unit="ratio",
            queries=(Query("revision:runyard_cpu:utilization{$scope}", "{revision}"),),
        ),
        Panel(
            id="memory",
            title="Memory of its limit",
            unit="ratio",
            queries=(Query("revision:runyard_memory:utilization{$scope}", "{revision}"),),
        ),
        Panel(
            id="cold-starts",
            title="Cold starts",
            unit="s",
            about="From a request that found no instance to the first byte of its answer, over an hour.",
            queries=tuple(
                Query(
                    f"histogram_quantile({each / 100},"
                    " sum by (le) (rate(runyard_gateway_cold_start_seconds_bucket{$scope}[1h])))",
                    f"p{each}",
                )
                for each in (50, 95, 99)
            ),
        ),
        Panel(
            id="frozen",
            title="Frozen containers",
            unit="count",
            queries=(Query("sum(runyard_container_frozen{$scope})", "frozen"),),
        ),
    ),
)
