"""Dashboards across services: of the whole stack, its gateway, a tenant, and what is paid for."""

from __future__ import annotations

from runyard.dashboards.panel import Dashboard, Panel, Query

_OF_SERVICE = "{tenant}/{service}"
_OF_REVISION = "{tenant}/{revision}"


def _quantile(quantile: float) -> str:
    buckets = 'sum by (le) (rate(runyard_request_duration_seconds_bucket{service!=""}[5m]))'
    return f"histogram_quantile({quantile}, {buckets})"


TENANT = Dashboard(
    id="tenant",
    title="Tenant",
    scope=("tenant",),
    panels=(
        Panel(
            id="requests",
            title="Requests",
            unit="requests/s",
            kind="stack",
            queries=(Query("service:runyard_requests:rate1m{$scope}", "{service}"),),
        ),
        Panel(
            id="errors",
            title="Errors",
            unit="ratio",
            queries=(Query("service:runyard_errors:ratio_rate1m{$scope}", "{service}"),),
        ),
        Panel(
            id="latency",
            title="Latency, p95",
            unit="s",
            queries=(Query("service:runyard_request_duration_seconds:p95_5m{$scope}", "{service}"),),
        ),
        Panel(
            id="instances",
            title="Instances ready",
            unit="instances",
            kind="stack",
            queries=(Query("service:runyard_instances:ready{$scope}", "{service}"),),
        ),
        Panel(
            id="cpu",
            title="CPU",
            unit="cores",
            kind="stack",
            queries=(Query("service:runyard_cpu_seconds:rate1m{$scope}", "{service}"),),
        ),
        Panel(
            id="memory",
            title="Memory",
            unit="bytes",
            kind="stack",
            queries=(Query("sum by (service) (runyard_container_memory_working_set_bytes{$scope})", "{service}"),),
        ),
        Panel(
            id="quota",
            title="Quota used",
            unit="ratio",
            about="Of tenants that have quotas.",
            queries=(
                Query(
                    "tenant:runyard_quota:used{$scope} / on (tenant, resource) tenant:runyard_quota:limit{$scope}",
                    "{resource}",
                ),
            ),
        ),
    ),
)

COST = Dashboard(
    id="cost",
    title="Cost",
    scope=("tenant",),
    panels=(
        Panel(
            id="hour",
            title="Cost of the last hour",
            unit="money",
            kind="stack",
            about="At list prices.",
            queries=(Query("runyard_billing_hour_cost{$scope}", "{service} {currency}"),),
        ),
        Panel(
            id="month",
            title="Cost of this month",
            unit="money",
            kind="stack",
            about="So far, as its draft has it.",
            queries=(Query("runyard_billing_month_cost{$scope}", "{service} {currency}"),),
        ),
        Panel(
            id="lag",
            title="Ledger behind",
            unit="s",
            about="How long ago the newest window ended that the ledger has, of whichever tenant.",
            queries=(Query("max(runyard_billing_ledger_lag_seconds)", "behind"),),
        ),
        Panel(
            id="estimated",
            title="Windows estimated",
            unit="count",
            about="Of this month, of which something could not be read, of whichever tenant.",
            queries=(Query("max(runyard_billing_estimated_windows)", "windows"),),
        ),
    ),
)

PLATFORM = Dashboard(
    id="platform",
    title="Platform",
    panels=(
        Panel(
            id="alerts",
            title="Alerts",
            unit="count",
            about="That fire now.",
            queries=(Query('sum by (alertname) (ALERTS{alertstate="firing"})', "{alertname}"),),
        ),
        Panel(
            id="requests",
            title="Requests",
            unit="requests/s",
            kind="stack",
            queries=(Query("service:runyard_requests:rate1m", _OF_SERVICE),),
        ),
        Panel(
            id="errors",
            title="Errors",
            unit="ratio",
            queries=(Query("service:runyard_errors:ratio_rate1m", _OF_SERVICE),),
        ),
        Panel(
            id="latency",
            title="Latency, p95",
            unit="s",
            queries=(Query("service:runyard_request_duration_seconds:p95_5m", _OF_SERVICE),),
        ),
        Panel(
            id="instances",
            title="Instances ready",
            unit="instances",
            kind="stack",
            queries=(Query("service:runyard_instances:ready", _OF_SERVICE),),
        ),
        Panel(
            id="cpu",
            title="CPU",
            unit="cores",
            kind="stack",
            queries=(Query("service:runyard_cpu_seconds:rate1m", _OF_SERVICE),),
        ),
        Panel(
            id="memory",
            title="Memory",
            unit="bytes",
            kind="stack",
            queries=(Query("sum by (tenant, service) (runyard_container_memory_working_set_bytes)", _OF_SERVICE),),
        ),
        Panel(
            id="parts",
            title="Parts that run",
            unit="count",
            about="0 is one that does not.",
            queries=(Query("min by (part) (runyard_part_running)", "{part}"),),
        ),
        Panel(
            id="scraped",
            title="Parts that tell metrics",
            unit="count",
            about="0 is one that does not answer.",
            queries=(Query("min by (job) (up)", "{job}"),),
        ),
        Panel(
            id="meter",
            title="Meter behind",
            unit="bytes",
            about="Bytes of the request log that are not counted yet.",
            queries=(Query("max(runyard_meter_behind_bytes)", "behind"),),
        ),
        Panel(
            id="series",
            title="Series kept",
            unit="count",
            queries=(Query("prometheus_tsdb_head_series", "series"),),
        ),
        Panel(
            id="certificates",
            title="Certificates end in",
            unit="s",
            about="Of hosts that have TLS.",
            queries=(Query("min by (host) (runyard_certificate_not_after_timestamp_seconds) - time()", "{host}"),),
        ),
    ),
)

GATEWAY = Dashboard(
    id="gateway",
    title="Gateway",
    panels=(
        Panel(
            id="answers",
            title="Answers",
            unit="requests/s",
            kind="stack",
            about="By the status, of all services, and of no service.",
            queries=(Query("sum by (code) (rate(runyard_requests_total[1m]))", "{code}"),),
        ),
        Panel(
            id="latency",
            title="Latency",
            unit="s",
            queries=tuple(Query(_quantile(each / 100), f"p{each}") for each in (50, 95, 99)),
        ),
        Panel(
            id="bytes",
            title="Bytes",
            unit="bytes/s",
            queries=(
                Query("sum(rate(runyard_request_received_bytes_total[1m]))", "received"),
                Query("sum(rate(runyard_request_sent_bytes_total[1m]))", "sent"),
            ),
        ),
        Panel(
            id="waiting",
            title="Requests that wait",
            unit="requests",
            queries=(Query("sum by (tenant, service) (runyard_gateway_queue_length)", _OF_SERVICE),),
        ),
        Panel(
            id="retries",
            title="Retries",
            unit="requests/s",
            about="Tries of another instance, or of the same one again.",
            queries=(Query("sum by (tenant, service) (rate(runyard_request_retries_total[1m]))", _OF_SERVICE),),
        ),
        Panel(
            id="limited",
            title="Refused by limits",
            unit="requests/s",
            about="Answered with 429, by the limit that they met.",
            queries=(
                Query(
                    "sum by (tenant, service, limit) (rate(runyard_gateway_limited_requests_total[1m]))",
                    "{tenant}/{service} {limit}",
                ),
            ),
        ),
        Panel(
            id="ejected",
            title="Instances ejected",
            unit="instances",
            queries=(Query("sum by (tenant, revision) (runyard_gateway_ejected_instances)", _OF_REVISION),),
        ),
        Panel(
            id="breaker",
            title="Breaker",
            unit="count",
            about="0 is closed, 1 half-open, 2 open.",
            queries=(Query("max by (tenant, revision) (runyard_gateway_breaker_state)", _OF_REVISION),),
        ),
        Panel(
            id="nobody",
            title="Requests for no service",
            unit="requests/s",
            queries=(Query('sum(rate(runyard_requests_total{service=""}[1m]))', "requests"),),
        ),
    ),
)
