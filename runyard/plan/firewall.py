"""Firewall of a plan: the rules by which the host's packet filter holds the stack's instances, as nft reads them; pure.

One table and one chain of the stack's own, which judge what comes from the networks of its instances and nothing else.
Being in prerouting, the chain sees what goes out, what goes to another network and what is for the host itself; and as
a connection is kept in the kernel's table only when its first packet is through, what is dropped here takes no room
(docs/adr/0024).
"""

from __future__ import annotations

from collections.abc import Iterable

from runyard import names
from runyard.plan.model import NetworkPlan, Plan

# What begins at once, such as the connections of an instance that was just started, in seconds of the rate.
BURST_S = 2
# An address that began nothing for so long has its whole burst again, whatever the rate.
_FORGOTTEN_S = 60
# The kernel keeps an ended connection for two minutes more (net.netfilter.nf_conntrack_tcp_timeout_time_wait), and
# counts it in no limit: at 500 a second, one address would have 60,000. So long is enough for late packets.
ENDED_S = 10

# `ct status confirmed` is what the kernel's table has already, also where nobody has answered yet: a program that sends
# thousands of packets to one silent address has one connection. Limits come before the host's own addresses, so that
# what is refused there costs its sender too.
_RULES = """\
table ip {table} {{
	set starts {{
		type ipv4_addr
		size 65536
		flags dynamic,timeout
		timeout {forgotten_s}s
	}}

	set flows {{
		type ipv4_addr
		size 65536
		flags dynamic
	}}

	ct timeout brief {{
		protocol tcp
		l3proto ip
		policy = {{ {timeouts} }}
	}}

	chain instances {{
		type filter hook prerouting priority filter; policy accept;
		ip saddr != {{ {networks} }} accept comment "{table}: not of an instance"
		ct status confirmed accept comment "{table}: known connections"
		update @starts {{ ip saddr limit rate over {rate}/second burst {burst} packets }} counter drop \
comment "{table}: new connections a second"
		add @flows {{ ip saddr ct count over {flows} }} counter drop comment "{table}: connections"
		ip protocol tcp ct timeout set "brief" comment "{table}: ended connections"
		fib daddr type != {{ local, broadcast, multicast }} accept comment "{table}: not for the host"
{gateway}
		counter reject comment "{table}: the host itself"
	}}
}}
"""
_ENDING = ("syn_sent", "syn_recv", "fin_wait", "close_wait", "last_ack", "time_wait", "close")
_GATEWAY = '		ip daddr {host} tcp dport {port} accept comment "{table}: the gateway"'


def render_rules(plan: Plan) -> str:
    """Render the rules of a stack: equal plans give equal text."""
    limits = plan.platform.firewall
    table = names.firewall_table(plan.stack)
    inner = [listener for part in plan.parts for listener in part.listeners if listener.kind == "internal"]
    return _RULES.format(
        table=table,
        timeouts=", ".join(f"{state} : {ENDED_S}" for state in _ENDING),
        forgotten_s=_FORGOTTEN_S,
        networks=", ".join(guarded_subnets(plan.networks)),
        rate=limits.new_flows_per_second,
        burst=limits.new_flows_per_second * BURST_S,
        flows=limits.flows,
        gateway="\n".join(_GATEWAY.format(table=table, host=each.host, port=each.port) for each in inner),
    )


def guarded_subnets(networks: Iterable[NetworkPlan]) -> tuple[str, ...]:
    """List the subnets from which instances send, sorted; there is always that of the tenant `default`."""
    return tuple(sorted(each.subnet for each in networks if each.tenant is not None))
