"""Sets: changes of which services, tenants and settings of the Platform there are."""

from __future__ import annotations

import copy
from typing import Any

from tests.preview.mutations import (
    HELLO,
    MUTATIONS,
    REVISION,
    ROUTE,
    RUNYARD,
    SECRETS,
    STOCK,
    Mutation,
)  # fmt: skip
from tests.preview.transitions.edit import Edit
from tests.preview.transitions.fields import Change
from tests.preview.transitions.world import (
    BACKEND,
    ENFORCED_RATE,
    FALLBACK,
    INGRESS,
    MOST_SERVICES,
    NAMES,
    RATE,
    ROUTES,
    USES,
    Entry,
    plain,
    tenant_of,
)  # fmt: skip


def _is_ours(mutation: Mutation) -> bool:
    """Say whether a service of any name and tenant can be made of the mutation, again and again."""
    # A persistent volume is of one service of its tenant, and a revision's name stands for one content for good.
    apart = mutation.path == f"S:{RUNYARD}volumes" or mutation.id.endswith(("named revision", "traffic by name"))
    return mutation.base in (HELLO, STOCK) and not apart


OURS = tuple(each for each in MUTATIONS if _is_ours(each))


def specimen(edit: Edit, name: str) -> Entry:
    """Make a service of which a mutation can be made."""
    mutation = edit.chance.choice(OURS)
    return Entry(mutation.make(name)[0], mutation, plain=False)


def _free_key(edit: Edit, tenant: str = "") -> str:
    """Choose the key of a service that is not there, nor was in the step before."""
    tenants = [tenant] if tenant else [edit.world.home, *sorted(edit.world.tenants)]
    taken = {*edit.world.services, *edit.gone}
    keys = [f"{each}/{name}" for each in tenants for name in NAMES if f"{each}/{name}" not in taken]
    return edit.chance.choice(keys)


def _add(edit: Edit) -> bool:
    if len(edit.world.services) >= MOST_SERVICES:
        return False
    key = _free_key(edit)
    name = key.partition("/")[2]
    edit.put(key, plain(name) if edit.chance.random() < 0.6 else specimen(edit, name))
    return True


def _remove(edit: Edit) -> bool:
    if len(edit.world.services) < 3 or not (found := edit.pick()):
        return False
    edit.part(found[0])
    edit.remove(found[0])
    return True


def _rename(edit: Edit) -> bool:
    """Give a service another name: one goes, and another comes that takes over its routes and callers."""
    if not (found := edit.pick()):
        return False
    old, entry = found
    new = _free_key(edit, tenant_of(old))
    name = new.partition("/")[2]
    edit.part(old, name)
    edit.remove(old)
    edit.put(new, edit.begin(entry, name))
    return True


def _move(edit: Edit) -> bool:
    """Take a service to another tenant, with its routes, and without those whom it called."""
    if not (found := edit.pick()):
        return False
    old, entry = found
    tenants = [each for each in (edit.world.home, *sorted(edit.world.tenants)) if each != tenant_of(old)]
    if not tenants:
        return False
    new = _free_key(edit, edit.chance.choice(tenants))
    edit.part(old)
    edit.remove(old)
    moved = edit.begin(entry, new.partition("/")[2])
    moved.annotations.pop(USES, None)
    if moved.annotations.get(FALLBACK, "").startswith("service:"):
        del moved.annotations[FALLBACK]
    edit.put(new, moved)
    return True


def _become(edit: Edit) -> bool:
    """Make a wholly other service under the same name."""
    if not (found := edit.pick(lambda key, entry: edit.world.gateway.get(BACKEND) != key)):
        return False
    key, entry = found
    other = specimen(edit, entry.name) if edit.chance.random() < 0.7 else plain(entry.name)
    other.revisions = entry.revisions
    edit.world.add(key, other)
    edit.say(key, None)
    return True


def _mutate(edit: Edit) -> bool:
    if not (found := edit.pick(lambda key, entry: entry.mutation is not None)):
        return False
    key, entry = found
    mutation = entry.mutation
    assert mutation is not None
    mutation.apply(entry.manifest)
    entry.mutation = None
    edit.say(key, mutation.changes)
    return True


def _hand_over(edit: Edit) -> bool:
    """Let another service of the tenant answer what this one answered."""
    if not (found := edit.pick(lambda key, entry: entry.plain and bool(entry.routes))):
        return False
    key, entry = found

    def fits(other: str, heir: Entry) -> bool:
        return heir.plain and tenant_of(other) == tenant_of(key) and INGRESS not in heir.annotations

    if not (heir := edit.pick(fits)):
        return False
    heir[1].note(ROUTES, [*heir[1].routes, *entry.routes], ", ")
    entry.note(ROUTES, [])
    for each in (key, heir[0]):
        edit.say(each, ROUTE)
    return True


def _tenant_comes(edit: Edit) -> bool:
    # Other stacks of the host have services of the default tenant, for which its quotas would count as well.
    absent = [each for each in edit.world.places if each not in (edit.world.home, *edit.world.tenants)]
    if not absent:
        return False
    edit.world.tenants[edit.chance.choice(absent)] = {}
    return True


def _tenant_goes(edit: Edit) -> bool:
    empty = [each for each in sorted(edit.world.tenants) if not list(edit.world.of(each))]
    if not empty:
        return False
    del edit.world.tenants[edit.chance.choice(empty)]
    return True


def _tenant_leaves(edit: Edit) -> bool:
    """Let a tenant go with all its services."""
    left = [each for each in sorted(edit.world.tenants) if 0 < len(list(edit.world.of(each))) < 3]
    left = [each for each in left if not {key for key, _ in edit.world.of(each)} & edit.touched]
    if not left or len(edit.world.services) < 4:
        return False
    tenant = edit.chance.choice(left)
    for key, _ in list(edit.world.of(tenant)):
        edit.part(key)
        edit.remove(key)
        edit.words.pop(key, None)
    del edit.world.tenants[tenant]
    return True


_QUOTAS: dict[str, tuple[Any, ...]] = {
    "cpu": ("4000", "5000"),
    "memory": ("900Gi", "1Ti"),
    "instances": (2000, 3000),
    "services": (20, 30),
    "storage": ("900Gi", "1Ti"),
    "hosts": (100, 200),
}


def _quota(edit: Edit) -> bool:
    """Change a quota of a tenant, within which its services are in any case."""
    declared = sorted(edit.world.tenants)
    if not declared:
        return False
    tenant, name = edit.chance.choice(declared), edit.chance.choice(sorted(_QUOTAS))
    if not edit.take(f"quota {tenant}/{name}"):
        return False
    quotas = edit.world.tenants[tenant].setdefault("quotas", {})
    before = quotas.pop(name, None)
    after = edit.chance.choice([each for each in (None, *_QUOTAS[name]) if each != before])
    if after is not None:
        quotas[name] = after
    return True


# A change of a route that the service's own manifest does not tell.
_FROM_OUTSIDE = frozenset({"route"})


def _rate_quota(edit: Edit) -> bool:
    """Limit a tenant's requests, or no longer: every service of it carries its tenant's limit."""
    declared = sorted(edit.world.tenants)
    tenant = edit.chance.choice(declared) if declared else ""
    if not tenant or not edit.take(f"rate {tenant}"):
        return False
    quotas = edit.world.tenants[tenant].setdefault("quotas", {})
    if quotas.pop("requestsPerSecond", None) is None:
        quotas["requestsPerSecond"] = 10_000
    for key, entry in edit.world.of(tenant):
        edit.say(key, _FROM_OUTSIDE)
        if edit.world.limited(tenant) and RATE not in entry.annotations:
            entry.annotations[RATE] = ENFORCED_RATE
            edit.say(key, ROUTE)
    return True


_GATEWAY: dict[str, tuple[Any, ...]] = {
    "holdTimeoutSeconds": (None, 5, 7),
    "connectTimeoutSeconds": (None, 1, 3),
    "maxBodySize": (None, "8Mi", "64Mi"),
    "securityHeaders": (None, False),
    "compression": (None, False),
}


def _gateway(name: str) -> Change:
    """Make the change of a setting of the gateway."""

    def change(edit: Edit) -> bool:
        if not edit.take(name):
            return False
        before = edit.world.gateway.pop(name, None)
        after = edit.chance.choice([each for each in _GATEWAY[name] if each != before])
        if after is not None:
            edit.world.gateway[name] = after
        edit.platform.add(name)
        return True

    return change


def _kept(edit: Edit) -> bool:
    """Keep more or fewer idle revisions; whether a service has as many, the planner knows."""
    if not edit.take("kept"):
        return False
    edit.world.platform["revisions"] = {"kept": edit.chance.choice([n for n in (0, 1, 2, 5) if n != edit.world.kept])}
    edit.platform.add("revisions")
    for key in edit.world.services:
        edit.words[key] = None
    return True


def _backend(edit: Edit) -> bool:
    """Let a service answer all hosts that nobody else does, another one, or none."""
    if BACKEND in edit.touched:
        return False
    before = edit.world.gateway.get(BACKEND)

    def fits(key: str, entry: Entry) -> bool:
        return entry.plain and key != before and INGRESS not in entry.annotations

    if before and edit.chance.random() < 0.3:
        after = None
        del edit.world.gateway[BACKEND]
    elif found := edit.pick(fits):
        after = edit.world.gateway[BACKEND] = found[0]
    else:
        return False
    edit.take(BACKEND)
    edit.platform.add(BACKEND)
    for key in (before, after):
        if key in edit.world.services:
            edit.say(key, _FROM_OUTSIDE)
    return True


def _rotate(edit: Edit) -> bool:
    """Give a tenant's secret another value: what has it is another revision."""
    tenant = edit.chance.choice(edit.world.places)
    if not edit.take(f"secret {tenant}"):
        return False
    edit.world.secrets.setdefault(tenant, copy.deepcopy(SECRETS))["token"] = f"token {edit.world.number()}"
    for key, entry in edit.world.of(tenant):
        if "'token'" in repr(entry.manifest["spec"]):
            entry.earlier = None
            # It says so in its manifest only if it has to have another name.
            edit.say(key, REVISION if entry.revision else REVISION - {"service"})
    return True


def _rewrite(edit: Edit) -> bool:
    """Say the same in other files."""
    edit.world.style = edit.chance.randrange(2**32)
    return True


# Changes of the Platform, which the worlds of a stack share.
PLATFORM: dict[str, Change] = {
    **{f"gateway-{name}": _gateway(name) for name in _GATEWAY},
    "kept": _kept,
    "backend": _backend,
}
CHANGES: dict[str, Change] = {
    "add": _add,
    "remove": _remove,
    "rename": _rename,
    "move": _move,
    "become": _become,
    "mutate": _mutate,
    "hand-over": _hand_over,
    "tenant-comes": _tenant_comes,
    "tenant-goes": _tenant_goes,
    "tenant-leaves": _tenant_leaves,
    "quota": _quota,
    "rate-quota": _rate_quota,
    **PLATFORM,
    "rotate": _rotate,
    "rewrite": _rewrite,
}
