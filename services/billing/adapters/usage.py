"""Usage in the database: batches are taken whole and once, whatever the order, the delay or the number of times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, text

from runyard.codec import encode
from runyard.contracts import Measure, UsageWindow
from runyard.pricing.metering import Basis, Metered
from services.billing.adapters.events import write_event
from services.billing.domain.month import midnight

# Whoever issues a bill waits for the batches under way and holds up new ones, so that what it is made of is all
# usage up to one number.
_USAGE_LOCK = 7_203_003
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ARRIVED = """
CREATE TEMPORARY TABLE arrived (
    tenant text, service text, revision text, instance text, engine_id text, started_ms bigint,
    window_start timestamptz, window_end timestamptz, kind text, basis text,
    cpu_usage bigint, memory_usage numeric, memory_peak_bytes bigint, active_ms bigint, allocated_ms bigint,
    frozen_ms bigint, requests bigint, egress_bytes bigint, cpu_limit_millis bigint, memory_limit_bytes bigint,
    estimated boolean
) ON COMMIT DROP
"""
_COLUMNS = (
    *("window_start", "window_end", "kind", "basis", "cpu_usage", "memory_usage", "memory_peak_bytes"),
    *("active_ms", "allocated_ms", "frozen_ms", "requests", "egress_bytes"),
    *("cpu_limit_millis", "memory_limit_bytes", "estimated"),
)
# In the order of their keys, so that two that write the same names wait for each other and never in a circle.
_OWNERS = (
    """
    INSERT INTO users (name) SELECT DISTINCT a.tenant FROM arrived AS a
    WHERE NOT EXISTS (SELECT FROM tenants AS t WHERE t.name = a.tenant)
    ORDER BY 1 ON CONFLICT (name) DO NOTHING
    """,
    """
    INSERT INTO tenants (name, user_id) SELECT DISTINCT a.tenant, u.id FROM arrived AS a JOIN users AS u
    ON u.name = a.tenant
    WHERE NOT EXISTS (SELECT FROM tenants AS t WHERE t.name = a.tenant)
    ORDER BY 1 ON CONFLICT (name) DO NOTHING
    """,
    """
    INSERT INTO services (tenant_id, name) SELECT DISTINCT t.id, a.service FROM arrived AS a JOIN tenants AS t
    ON t.name = a.tenant
    WHERE NOT EXISTS (SELECT FROM services AS s WHERE s.tenant_id = t.id AND s.name = a.service)
    ORDER BY 1, 2 ON CONFLICT (tenant_id, name) DO NOTHING
    """,
    """
    INSERT INTO containers (engine_id, started_ms, user_id, service_id, revision, instance, last_window)
    SELECT DISTINCT ON (a.engine_id, a.started_ms)
        a.engine_id, a.started_ms, t.user_id, s.id, a.revision, a.instance,
        max(a.window_end) OVER (PARTITION BY a.engine_id, a.started_ms)
    FROM arrived AS a JOIN tenants AS t ON t.name = a.tenant
    JOIN services AS s ON s.tenant_id = t.id AND s.name = a.service
    ORDER BY a.engine_id, a.started_ms, a.window_start
    ON CONFLICT (engine_id, started_ms)
        DO UPDATE SET last_window = greatest(containers.last_window, excluded.last_window)
    """,
)
# Of each window its run, where the run is whose the window says.
_OWNED = """
    FROM arrived AS a
    JOIN containers AS c ON c.engine_id = a.engine_id AND c.started_ms = a.started_ms
    JOIN services AS s ON s.id = c.service_id AND s.name = a.service
    JOIN tenants AS t ON t.id = s.tenant_id AND t.name = a.tenant
"""
_TAKE = f"""
    INSERT INTO usage (container_id, user_id, service_id, {", ".join(_COLUMNS)})
    SELECT c.id, c.user_id, c.service_id, {", ".join(f"a.{each}" for each in _COLUMNS)} {_OWNED}
    ORDER BY c.id, a.window_start
    ON CONFLICT (container_id, window_start, kind) DO NOTHING
"""
# What was told of a window stays; of the rest of its columns only the basis may be told otherwise later. The text is
# made of constants alone.
_TOLD = tuple(each for each in _COLUMNS if each not in {"window_start", "kind", "basis"})
_CONTRADICTED = f"""
    SELECT count(*) {_OWNED}
    JOIN usage AS u ON u.container_id = c.id AND u.window_start = a.window_start AND u.kind = a.kind
    WHERE ({", ".join(f"a.{each}" for each in _TOLD)}) IS DISTINCT FROM ({", ".join(f"u.{each}" for each in _TOLD)})
"""  # noqa: S608
_STOLEN = """
    SELECT DISTINCT a.engine_id, a.started_ms, a.tenant, a.service FROM arrived AS a
    JOIN containers AS c ON c.engine_id = a.engine_id AND c.started_ms = a.started_ms
    JOIN services AS s ON s.id = c.service_id JOIN tenants AS t ON t.id = s.tenant_id
    WHERE (t.name, s.name) <> (a.tenant, a.service) ORDER BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of windows: how many are new, were there already, contradict what was there, or are another's."""

    new: int
    known: int
    contradicted: int = 0
    stolen: int = 0


def take_windows(connection: Connection, windows: Sequence[tuple[UsageWindow, Basis]]) -> Taken:
    """Write sound windows, each with how its revision is billed; one that is there already stays as it is."""
    if not windows:
        return Taken(0, 0)
    connection.execute(text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": _USAGE_LOCK})
    connection.execute(text(_ARRIVED))
    _copy(connection, windows)
    for starts in sorted({_moment(window.start_ms).date().replace(day=1) for window, _ in windows}):
        connection.execute(text("SELECT open_month(:moment)"), {"moment": midnight(starts)})
    for statement in _OWNERS:
        connection.execute(text(statement))
    new = connection.execute(text(_TAKE)).rowcount
    contradicted = 0 if new == len(windows) else connection.execute(text(_CONTRADICTED)).scalar_one()
    if contradicted:
        write_event(connection, "window-contradicted", {"windows": contradicted})
    stolen = [dict(each) for each in connection.execute(text(_STOLEN)).mappings()]
    for each in stolen:
        write_event(connection, "owner-contradicted", each)
    return Taken(new, len(windows) - new, contradicted, len(stolen))


def refuse_window(connection: Connection, window: UsageWindow, reason: str) -> None:
    """Put a window that cannot be usage where it can be looked at."""
    write_event(connection, "window-refused", {"reason": reason, "window": encode(window)})


def _copy(connection: Connection, windows: Sequence[tuple[UsageWindow, Basis]]) -> None:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy("COPY arrived FROM STDIN") as copy:
        for window, basis in windows:
            a = window.amounts
            copy.write_row(
                (
                    *(window.tenant, window.service, window.revision, window.instance, window.container),
                    *(window.started_ms, _moment(window.start_ms), _moment(window.end_ms), window.kind, basis),
                    *(a.cpu_us, a.memory_byte_ms, a.memory_peak_bytes, a.active_ms, a.allocated_ms, a.frozen_ms),
                    *(a.requests, a.egress_bytes, a.cpu_limit_millis, a.memory_limit_bytes, a.estimated),
                )
            )


def _moment(milliseconds: int) -> datetime:
    # Windows begin at whole seconds.
    return datetime.fromtimestamp(milliseconds // 1000, UTC)


def end_containers(connection: Connection) -> int:
    """Note which runs have ended: those that the newest window of all has left behind by more than two minutes."""
    ended = """
        UPDATE containers SET status = 'ended' WHERE status = 'running'
        AND last_window < (SELECT max(last_window) FROM containers) - interval '2 minutes'
    """
    return connection.execute(text(ended)).rowcount


def feed_sequence(connection: Connection, feed: str) -> int:
    """Give up to which batch a meter was taken; 0 is before the first."""
    found = connection.execute(text("SELECT sequence FROM feeds WHERE name = :name"), {"name": feed})
    return int(found.scalar() or 0)


def note_sequence(connection: Connection, feed: str, sequence: int) -> None:
    """Note up to which batch a meter was taken; it never goes back."""
    noted = """
        INSERT INTO feeds (name, sequence) VALUES (:name, :sequence)
        ON CONFLICT (name) DO UPDATE SET sequence = greatest(feeds.sequence, excluded.sequence)
    """
    connection.execute(text(noted), {"name": feed, "sequence": sequence})


_MEASURES = """
    WITH minutes AS (
        SELECT u.service_id, u.window_start, sum(u.requests) AS requests, max(u.active_ms) AS active_ms,
            max(u.allocated_ms - u.frozen_ms) AS awake_ms, sum(u.egress_bytes) AS egress_bytes,
            sum(u.cpu_usage) AS cpu_us, sum(u.memory_peak_bytes) AS memory_peak_bytes
        FROM usage AS u JOIN containers AS c ON c.id = u.container_id
        WHERE u.window_start >= :since
        GROUP BY u.service_id, c.instance, u.window_start
    )
    SELECT t.name AS tenant, s.name AS service, min(m.window_start) AS first, sum(m.requests) AS requests,
        sum(m.active_ms) AS active_ms, sum(m.awake_ms) AS awake_ms, sum(m.egress_bytes) AS egress_bytes,
        coalesce(percentile_disc(0.95) WITHIN GROUP (ORDER BY m.cpu_us / m.awake_ms)
            FILTER (WHERE m.active_ms > 0 AND m.awake_ms > 0), 0) AS cpu_p95_millis,
        max(m.memory_peak_bytes) AS memory_peak_bytes
    FROM minutes AS m JOIN services AS s ON s.id = m.service_id JOIN tenants AS t ON t.id = s.tenant_id
    GROUP BY t.name, s.name ORDER BY t.name, s.name
"""


def measure_services(connection: Connection, since: datetime, now: datetime) -> tuple[Measure, ...]:
    """Measure what services did since a moment, or since their first window after it."""
    return tuple(
        Measure(
            row.tenant,
            row.service,
            int((now - row.first).total_seconds()),
            *map(int, (row.requests, row.active_ms, row.awake_ms, row.egress_bytes)),
            *map(int, (row.cpu_p95_millis, row.memory_peak_bytes)),
        )
        for row in connection.execute(text(_MEASURES), {"since": since})
    )


def taken_sequence(connection: Connection) -> int:
    """Give a number that grows with each batch that was taken whole, as the rows' own does before they are there."""
    return int(connection.execute(text("SELECT coalesce(sum(sequence), 0) FROM feeds")).scalar_one())


def close_usage(connection: Connection) -> int:
    """Wait for the batches under way, let no new one begin before this transaction ends, and give the last row."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _USAGE_LOCK})
    return last_row(connection)


def last_row(connection: Connection) -> int:
    """Give a number that no row of usage is beyond."""
    return int(connection.execute(text("SELECT last_value FROM usage_id_seq")).scalar_one())


_SUMS = """
    SELECT s.name AS service, (u.window_start AT TIME ZONE 'UTC')::date AS day,
        sum(CASE basis WHEN 'request' THEN active ELSE 0 END * u.cpu_limit_millis) AS active_cpu,
        sum(CASE basis WHEN 'request' THEN active ELSE 0 END * u.memory_limit_bytes::numeric) AS active_memory,
        sum(CASE basis WHEN 'request' THEN idle ELSE 0 END * u.cpu_limit_millis) AS idle_cpu,
        sum(CASE basis WHEN 'request' THEN idle + u.frozen_ms ELSE 0 END * u.memory_limit_bytes::numeric)
            AS idle_memory,
        sum(CASE basis WHEN 'instance' THEN u.allocated_ms - u.frozen_ms ELSE 0 END * u.cpu_limit_millis)
            AS instance_cpu,
        sum(CASE basis WHEN 'instance' THEN u.allocated_ms ELSE 0 END * u.memory_limit_bytes::numeric)
            AS instance_memory,
        sum(CASE basis WHEN 'request' THEN u.requests ELSE 0 END) AS requests,
        sum(u.egress_bytes) AS egress_bytes
    FROM usage AS u
    JOIN services AS s ON s.id = u.service_id
    JOIN tenants AS t ON t.id = s.tenant_id
    CROSS JOIN LATERAL (SELECT (u.active_ms + :minimum - 1) / :minimum * :minimum AS active) AS a
    CROSS JOIN LATERAL (SELECT greatest(0, u.allocated_ms - u.frozen_ms - active) AS idle) AS i
    WHERE t.name = :tenant AND u.window_start >= :starts AND u.window_start < :ends AND u.id <= :upto
    GROUP BY s.name, day
"""


def sum_days(
    connection: Connection, tenant: str, times: tuple[datetime, datetime], minimum_charge_ms: int, upto: int
) -> dict[tuple[str, date], Metered]:
    """Sum a tenant's usage up to a row, of windows that begin from one moment to before another, by service and day."""
    asked = {
        **{"tenant": tenant, "minimum": minimum_charge_ms, "upto": upto},
        **{"starts": times[0], "ends": times[1]},
    }
    rows = connection.execute(text(_SUMS), asked).all()
    return {(row[0], row[1]): Metered(*map(int, row[2:])) for row in rows}
