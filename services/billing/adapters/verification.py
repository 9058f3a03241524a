"""Verification: every bill recomputed from raw usage in SQL alone, by a path that shares nothing with its making.

Python made the bills from sums and fractions. Here the database rates them: each amount is a quotient of whole
numbers and decimals, kept as numerator and denominator because a division would round, and rounded once, half to even.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from runyard.contracts import VerifiedBill
from services.billing.adapters.bills import Bill, find_bills
from services.billing.domain.charge import Key
from services.billing.domain.month import Month, midnight, parse_month

# One row for each amount that has a price: how much of it was used, in whole numbers, how many of those make one unit
# of the price, the price, and what of it is free. Metered anew from the windows.
_AMOUNTS = """
WITH windows AS (
    SELECT s.name AS service, p.id AS prices_id, p.valid_from, u.basis, u.requests, u.egress_bytes,
        u.cpu_limit_millis::numeric AS cpu, u.memory_limit_bytes::numeric AS memory, u.frozen_ms, u.allocated_ms,
        div(u.active_ms + p.minimum_charge_ms - 1, p.minimum_charge_ms) * p.minimum_charge_ms AS active_ms
    FROM tenants AS t
    JOIN services AS s ON s.tenant_id = t.id
    JOIN usage AS u ON u.service_id = s.id
    JOIN prices AS p ON p.known_from = :known_from
        AND u.window_start >= p.valid_from::timestamp AT TIME ZONE 'UTC'
        AND (p.valid_until IS NULL OR u.window_start < p.valid_until::timestamp AT TIME ZONE 'UTC')
    WHERE t.name = :tenant AND u.id <= :upto AND u.window_start >= :starts AND u.window_start < :ends
),
lives AS (
    SELECT *, allocated_ms - frozen_ms AS awake_ms,
        CASE WHEN active_ms < allocated_ms - frozen_ms THEN allocated_ms - frozen_ms - active_ms ELSE 0 END AS idle_ms
    FROM windows
),
-- By request or by instance, and then what of a life has which price.
parts (basis, item, part, free) AS (VALUES
    ('request', 'cpu', 'active_cpu', 'free_active_vcpu_seconds'),
    ('request', 'memory', 'active_memory', 'free_active_gib_seconds'),
    ('request', 'cpu', 'idle_cpu', NULL),
    ('request', 'memory', 'idle_memory', NULL),
    ('instance', 'cpu', 'instance_cpu', 'free_instance_vcpu_seconds'),
    ('instance', 'memory', 'instance_memory', 'free_instance_gib_seconds'),
    ('request', 'requests', 'requests', 'free_requests'),
    ('request', 'egress', 'egress', 'free_egress_gib'),
    ('instance', 'egress', 'egress', 'free_egress_gib')
),
used AS (
    SELECT l.service, l.prices_id, l.valid_from, p.item, p.part, p.free,
        sum(CASE p.part
            WHEN 'active_cpu' THEN l.active_ms * l.cpu
            WHEN 'active_memory' THEN l.active_ms * l.memory
            WHEN 'idle_cpu' THEN l.idle_ms * l.cpu
            WHEN 'idle_memory' THEN (l.idle_ms + l.frozen_ms) * l.memory
            WHEN 'instance_cpu' THEN l.awake_ms * l.cpu
            WHEN 'instance_memory' THEN l.allocated_ms * l.memory
            WHEN 'requests' THEN l.requests
            WHEN 'egress' THEN l.egress_bytes
        END)::numeric AS amount
    FROM lives AS l JOIN parts AS p ON p.basis = l.basis
    GROUP BY l.service, l.prices_id, l.valid_from, p.item, p.part, p.free
),
-- In whole numbers: a vCPU-second is 10^6 thousandths times milliseconds, a GiB-second 2^30 x 1000 bytes times those.
priced AS (
    SELECT u.*, CASE
            WHEN part LIKE '%_cpu' THEN 1000000
            WHEN part LIKE '%_memory' THEN 1073741824000
            WHEN part = 'egress' THEN 1073741824
            ELSE 1 END::numeric AS scale,
        CASE part WHEN 'requests' THEN 1000000 ELSE 1 END::numeric AS per,
        (CASE part
            WHEN 'active_cpu' THEN p.active_vcpu_second WHEN 'active_memory' THEN p.active_gib_second
            WHEN 'idle_cpu' THEN p.idle_vcpu_second WHEN 'idle_memory' THEN p.idle_gib_second
            WHEN 'instance_cpu' THEN p.instance_vcpu_second WHEN 'instance_memory' THEN p.instance_gib_second
            WHEN 'requests' THEN p.million_requests WHEN 'egress' THEN p.egress_gib END) AS price,
        coalesce((to_jsonb(p) ->> u.free)::numeric, 0) AS free_units
    FROM used AS u JOIN prices AS p ON p.id = u.prices_id
),
-- The free tier is the month's: what the prices grant less what all services used while earlier prices held.
pools AS (
    SELECT DISTINCT part, prices_id, valid_from, free_units * scale AS granted,
        sum(amount) OVER (PARTITION BY part, prices_id) AS total
    FROM priced WHERE free IS NOT NULL
),
left_over AS (
    SELECT p.part, p.prices_id, p.total,
        greatest(0, p.total - greatest(0, p.granted - coalesce(
            (SELECT sum(e.total) FROM pools AS e WHERE e.part = p.part AND e.valid_from < p.valid_from), 0))) AS due
    FROM pools AS p
),
-- Each amount in cents as a quotient.
quotients AS (
    SELECT p.service, p.prices_id, p.item, p.amount,
        p.amount * coalesce(l.due, 1) * p.price * (100 - :discount) AS above,
        p.scale * p.per * CASE WHEN coalesce(l.total, 0) = 0 THEN 1 ELSE l.total END AS below
    FROM priced AS p LEFT JOIN left_over AS l ON l.part = p.part AND l.prices_id = p.prices_id AND p.free IS NOT NULL
)
SELECT service, prices_id, item, array_agg(above) AS above, array_agg(below) AS below
FROM quotients WHERE amount > 0 GROUP BY service, prices_id, item
"""
# The sum of up to three quotients over their common denominator, then rounded: up where what is left is more than half
# of the denominator, or just half and the cent below is odd.
_LINES = f"""
WITH lines AS ({_AMOUNTS}),
sums AS (
    SELECT service, prices_id, item,
        above[1] * coalesce(below[2], 1) * coalesce(below[3], 1)
        + coalesce(above[2], 0) * below[1] * coalesce(below[3], 1)
        + coalesce(above[3], 0) * below[1] * coalesce(below[2], 1) AS above,
        below[1] * coalesce(below[2], 1) * coalesce(below[3], 1) AS below
    FROM lines
),
cents AS (SELECT *, div(above, below) AS whole, above - div(above, below) * below AS left_over FROM sums)
SELECT service, prices_id, item,
    (whole + CASE WHEN 2 * left_over > below OR (2 * left_over = below AND mod(whole, 2) = 1) THEN 1 ELSE 0 END) / 100
    AS amount
FROM cents ORDER BY service, prices_id, item
"""  # noqa: S608 - of constants alone


def verify_bills(connection: Connection, tenant: str | None, month: Month | None) -> list[VerifiedBill]:
    """Recompute bills, each together with those of its month before it; of every tenant and month by default."""
    charged: dict[tuple[str, str], dict[Key, Decimal]] = {}
    found = []
    for bill in find_bills(connection, tenant, month):
        invoice = bill.invoice
        before = charged.setdefault((invoice.tenant, invoice.month), {})
        for key, (_, line) in bill.lines.items():
            before[key] = before.get(key, Decimal("0.00")) + line.amount
        found.append(_verify(bill, before, recompute(connection, bill)))
    return found


def recompute(connection: Connection, bill: Bill) -> dict[Key, Decimal]:
    """Rate the usage that a bill was made of, and of which it and those before it are the sum."""
    month = parse_month(bill.invoice.month)
    asked: Mapping[str, Any] = {
        "tenant": bill.invoice.tenant,
        "known_from": bill.sources.prices_known_from,
        "upto": bill.sources.usage_upto,
        "discount": bill.invoice.discount_percent,
        "starts": midnight(month.starts),
        "ends": midnight(month.ends),
    }
    return {
        Key(row.service, row.prices_id, row.item): Decimal(row.amount).quantize(Decimal("0.01"))
        for row in connection.execute(text(_LINES), asked)
    }


def _verify(bill: Bill, said: Mapping[Key, Decimal], recomputed: Mapping[Key, Decimal]) -> VerifiedBill:
    differences = []
    for key in sorted(said.keys() | recomputed.keys(), key=lambda each: (each.service, each.prices_id, each.item)):
        one, other = said.get(key, Decimal("0.00")), recomputed.get(key, Decimal("0.00"))
        if one != other:
            differences.append(f"{key.service} {key.item}: charged {one}, recomputed {other}")
    return VerifiedBill(
        number=bill.invoice.number,
        tenant=bill.invoice.tenant,
        month=bill.invoice.month,
        said=sum(said.values(), Decimal("0.00")),
        recomputed=sum(recomputed.values(), Decimal("0.00")),
        differences=tuple(differences),
    )
