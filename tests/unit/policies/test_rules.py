"""Rules of manifests: for each a case that it passes and one that it fails, by the whole message."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policies.rule import Context, Rule
from policies.rules import RULES
from policies.verdict import judge
from runyard.accounts import Member, Quotas
from runyard.contracts import Budget, BudgetStatus, Crossing, Spend, Threshold
from runyard.errors import ManifestError
from runyard.manifest import load
from runyard.manifest.model import (
    EnvVar,
    Gateway,
    KeyReference,
    Location,
    Manifests,
    Platform,
    Probe,
    Scaling,
    Service,
    Tenant,
)
from runyard.manifest.tls import Tls
from runyard.plan import plan
from runyard.plan.quota import Capacity
from tests.unit.runyard.plan.example import container, manifests, service, template

BY_ID = {rule.id: rule for rule in RULES}
DIGEST = "sha256:" + "a" * 64
PROBE = Probe("http", port=8080)
PLACE = Location("manifests/tenant.yaml", 1, 1)
GIB = 1024**3


def of(**changes: Any) -> Context:
    """A service with one container, changed."""
    return Context(manifests(service(template=template(containers=(container(**changes),)))), "2026-11-23")


def shaped(**changes: Any) -> Context:
    return Context(manifests(service(template=template(**changes))), "2026-11-23")


def with_service(**changes: Any) -> Context:
    return Context(manifests(service(**changes)), "2026-11-23")


def with_env(name: str, value: str) -> Context:
    return of(env=(EnvVar(name, value),))


def with_platform(**changes: Any) -> Context:
    return Context(manifests(platform=dataclasses.replace(Platform(location=PLACE), **changes)), "2026-11-23")


def with_tenant(**changes: Any) -> Context:
    """Tenant shop with one service of which one instance is kept and two are allowed."""
    shape = template(scaling=Scaling(1, 2))
    tenant = Tenant("shop", location=PLACE, **changes)
    return Context(manifests(service(tenant="shop", template=shape), tenants=(tenant,)), "2026-11-23")


def beside(tenant: str) -> Context:
    """A service of a tenant, in a set that declares tenant shop."""
    return Context(manifests(service(tenant=tenant), tenants=(Tenant("shop", location=PLACE),)), "2026-11-23")


def calling(**uses: str) -> Context:
    services = [service(name=name, uses=tuple(callees.split())) for name, callees in uses.items()]
    return Context(manifests(*services), "2026-11-23")


def hosted(memory: int) -> Context:
    return dataclasses.replace(shaped(scaling=Scaling(2, 3)), capacity=Capacity(2000, memory))


def spending(actual: str, amount: str = "100", *, forecast: str = "", deployed: bool = False) -> Context:
    """Tenant shop with one service, as it is or new in the stack, and a ledger that says what the month comes to."""
    budget = Budget(Decimal(amount), "USD", (Threshold(50), Threshold(90, "forecast", "block")))
    made = with_tenant(budget=budget)
    planned = plan(made.manifests, "dev")
    names = {f"shop/{each.revision.name}" for each in planned.services}
    spend = Spend(Decimal(actual), Decimal(forecast or actual))
    known = dataclasses.replace(budget, amount=Decimal(100))
    crossings = tuple(Crossing(each, "2026-11-20T12:00:00+00:00", spend.actual) for each in known.crossed(spend))
    status = BudgetStatus("shop", "2026-11", known, spend, crossings)
    return dataclasses.replace(
        made, plan=planned, budgets=(status,), deployed=frozenset(names if deployed else {"shop/hello-old"})
    )


def blocked(context: Context) -> list[str]:
    return [each.message for each in BY_ID["budget-not-used-up"].check(context)]


SECRET = KeyReference("secret", "token", "latest")
WAIVE = "runyard.dev/waive"
REGISTRIES = ("ghcr.io/shop", "docker.io/library")


def from_registry(image: str) -> Context:
    subject = service(template=template(containers=(container(image=image),)))
    return Context(manifests(subject, tenants=(Tenant("default", allowed_registries=REGISTRIES),)), "2026-11-23")


def waiving(text: str) -> Context:
    return with_service(annotations={WAIVE: text})


# Id, a context that passes, one that fails, and what is said of that.
CASES: list[tuple[str, Context, Context, str]] = [
    (
        "image-tagged",
        of(image="shop/web:1"),
        of(image="shop/web"),
        "container hello: image must name a tag or digest, got shop/web",
    ),
    (
        "image-not-latest",
        of(image="localhost:5000/web:1"),
        of(image="localhost:5000/web:latest"),
        "container hello: image must not be latest, got localhost:5000/web:latest",
    ),
    (
        "image-pinned",
        of(image=f"shop/web@{DIGEST}"),
        of(image="shop/web:1"),
        "container hello: image must be pinned by digest, got shop/web:1",
    ),
    (
        "registry-allowed",
        from_registry("ghcr.io/shop/web:1"),
        from_registry("ghcr.io/shopping/web:1"),
        "container hello: image must be from ghcr.io/shop or docker.io/library (tenant default), "
        "got ghcr.io/shopping/web:1",
    ),
    ("limits-present", of(), of(memory_bytes=0), "container hello: must have a memory limit, got 0"),
    (
        "max-scale-given",
        shaped(annotations={"autoscaling.knative.dev/maxScale": "5"}),
        with_service(),
        "must say its maxScale, got the default of 100",
    ),
    (
        "non-root-user",
        of(run_as_user=10001),
        of(run_as_user=0),
        "container hello: runAsUser must not be 0 (root), got 0",
    ),
    (
        "probe-given",
        of(readiness_probe=PROBE),
        of(),
        "container hello: must have a startup or readiness probe, got neither",
    ),
    ("liveness-given", of(liveness_probe=PROBE), of(), "container hello: must have a liveness probe, got none"),
    (
        "probe-asks-serving-port",
        of(startup_probe=PROBE),
        of(startup_probe=Probe("http", port=9000)),
        "container hello: probe must ask the serving port 8080, got 9000",
    ),
    (
        "secret-known-form",
        with_env("KEY_ID", "AKIA"),
        with_env("KEY_ID", "AKIA" + "ABCDEFGHIJKLMNOP"),
        "container hello: env KEY_ID must not hold an AWS access key, got [secret]",
    ),
    (
        "secret-by-name",
        of(env=(EnvVar("DB_PASSWORD", reference=SECRET), EnvVar("TOKENS_PER_MINUTE", "5"))),
        with_env("DB_PASSWORD", "hunter2"),
        "container hello: env DB_PASSWORD must be a secretKeyRef, got a plain value",
    ),
    (
        "secret-by-entropy",
        with_env("GREETING", "hello-hello-hello-hello-1"),
        with_env("SEED", "q8Zr2LxW0vKp7TnB4mYc6HdF"),
        "container hello: env SEED must not look like a key, got [secret]",
    ),
    (
        "secret-in-url",
        with_env("DB", "postgres://db.internal:5432/shop"),
        with_env("DB", "postgres://shop:hunter2@db.internal/shop"),
        "container hello: env DB must hold no password in a URL, got [secret]",
    ),
    (
        "secret-in-command",
        of(args=("--verbose",)),
        of(args=("--token", "ghp_" + "a" * 36)),
        "container hello: command must hold no secret, got [secret]",
    ),
    (
        "secret-in-probe",
        of(liveness_probe=Probe("http", path="/live", headers=(("Accept", "text/plain"),))),
        of(liveness_probe=Probe("http", headers=(("Authorization", "Bearer hunter2"),))),
        "container hello: probe must hold no secret, got [secret]",
    ),
    (
        "gateway-on-loopback",
        with_platform(),
        with_platform(gateway=Gateway(address="0.0.0.0")),
        "gateway must listen on a loopback address while it has no TLS, got 0.0.0.0",
    ),
    (
        "tls-in-production",
        with_platform(gateway=Gateway(address="::1")),
        with_platform(gateway=Gateway(address="10.0.0.1")),
        "gateway must listen on a loopback address while it has no TLS, got 10.0.0.1",
    ),
    (
        "auth-in-production",
        with_service(ingress="internal"),
        with_service(require_caller_auth=True, annotations={"run.googleapis.com/invoker-iam-disabled": "false"}),
        "must be internal, as nothing asks callers to sign in yet, got ingress all",
    ),
    (
        "auth-not-disabled",
        with_service(ingress="internal", annotations={"run.googleapis.com/invoker-iam-disabled": "true"}),
        with_service(annotations={"run.googleapis.com/invoker-iam-disabled": "true"}),
        "run.googleapis.com/invoker-iam-disabled must not be true in production, got true",
    ),
    (
        "host-not-of-platform",
        with_service(name="grafana", tenant="shop"),
        with_service(name="grafana"),
        "name must not be that of a part of the platform, got grafana",
    ),
    (
        "port-not-of-platform",
        with_platform(),
        with_platform(orchestrator_port=9090),
        "orchestrator's port must not be that of another part of the platform, got 9090",
    ),
    (
        "internal-is-called",
        Context(manifests(service(name="a", uses=("b",)), service(name="b", ingress="internal")), "2026-11-23"),
        with_service(ingress="internal"),
        "internal service must be named in runyard.dev/uses of another, got none",
    ),
    (
        "retention-short",
        shaped(scaling=Scaling(retention_period_s=900)),
        shaped(scaling=Scaling(retention_period_s=901)),
        "scale-to-zero-pod-retention-period must be at most 900s, got 901s",
    ),
    (
        "deadline-short",
        shaped(progress_deadline_s=1800),
        shaped(progress_deadline_s=1801),
        "progress-deadline must be at most 1800s, got 1801s",
    ),
    (
        "callee-known",
        calling(a="b", b=""),
        calling(a="c", b=""),
        "runyard.dev/uses must name a service of tenant default, got c",
    ),
    (
        "calls-no-circle",
        calling(a="b c", b="c", c=""),
        calling(a="b", b="c", c="a", d="a"),
        "calls must not go in a circle, got a -> b -> c -> a",
    ),
    (
        "no-dangerous-annotations",
        with_service(annotations={"run.googleapis.com/binary-authorization-breakglass": "no"}),
        with_service(annotations={"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}),
        "must not have the annotation seccomp.security.alpha.kubernetes.io/pod, got it",
    ),
    (
        "quota-kept",
        with_tenant(quotas=Quotas(instances=2)),
        with_tenant(quotas=Quotas(instances=1)),
        "tenant shop's quota of instances must be at least 2 at maxScale, got 1, 1 over: hello 2",
    ),
    (
        "host-large-enough",
        hosted(2560 * 1024**2),
        hosted(2560 * 1024**2 - 1),
        "the host's memory must be at least 2560Mi at minScale, got 2684354559, 1 over: "
        "default/hello 1Gi + gateway 640Mi + orchestrator 512Mi + standby 256Mi + "
        "firewall 64Mi + filter 32Mi + spare 32Mi",
    ),
    (
        "budget-kept",
        with_tenant(budget=Budget(Decimal("9.81"), "USD")),
        with_tenant(budget=Budget(Decimal("9.50"), "USD")),
        "tenant shop's expected cost must be at most its budget of 9.50 USD a month, got 9.81",
    ),
    (
        "budget-cannot-be-passed",
        with_tenant(budget=Budget(Decimal(1000), "USD")),
        with_tenant(budget=Budget(Decimal(100), "USD")),
        "tenant shop's highest possible cost must be at most its budget of 100.00 USD a month, got 127.49",
    ),
    (
        "budget-not-used-up",
        spending("89.99"),
        spending("40", forecast="90"),
        "tenant shop must have no new revisions once its forecast cost of 2026-11 is 90 % of its budget of 100.00 USD, "
        "got one of hello",
    ),
    (
        "tenant-known",
        with_tenant(),
        beside("shopp"),
        "namespace must be default or a declared tenant, got shopp, did you mean shop?",
    ),
    (
        "tenant-declared",
        with_tenant(),
        with_service(tenant="shop"),
        "tenant shop must be declared, got only its name",
    ),
    (
        "tenant-owned",
        with_tenant(members=(Member("ann", "owner"),)),
        with_tenant(members=(Member("ann", "viewer"),)),
        "tenant shop must have an owner among its members, got none",
    ),
    (
        "waiver-readable",
        waiving("image-tagged until 2027-01-31 because it is a trial"),
        waiving("image-tagged until 2027-02-30 because it is a trial"),
        "waiver must be `rule until 2027-01-31 because reason`, "
        "got 'image-tagged until 2027-02-30 because it is a trial'",
    ),
    (
        "waiver-of-known-rule",
        waiving("image-tagged until 2027-01-31 because it is a trial"),
        waiving("quota-kept until 2027-01-31 because we are important"),
        "waiver must name a rule that a service can waive, got quota-kept",
    ),
    (
        "waiver-within-a-year",
        waiving("image-tagged until 2027-11-24 because it is a trial"),
        waiving("image-tagged until 2027-11-25 because it is a trial"),
        "waiver of image-tagged must end by 2027-11-24, got 2027-11-25",
    ),
    (
        "waiver-not-expired",
        waiving("image-tagged until 2026-11-23 because it is a trial"),
        waiving("image-tagged until 2026-11-22 because it is a trial"),
        "waiver of image-tagged must not have expired, got 2026-11-22",
    ),
]


def test_namespace_far_from_every_tenant_gets_no_guess() -> None:
    assert [each.message for each in BY_ID["tenant-known"].check(beside("payments"))] == [
        "namespace must be default or a declared tenant, got payments"
    ]


def test_default_goes_undeclared_beside_declared_tenants() -> None:
    assert list(BY_ID["tenant-known"].check(beside("default"))) == []


def test_namespaces_are_free_where_no_tenant_is_declared() -> None:
    assert list(BY_ID["tenant-known"].check(with_service(tenant="shop"))) == []


@pytest.mark.parametrize("environment", ["development", "production"])
def test_wrong_letter_in_a_namespace_refuses_in_every_stack(environment: Any) -> None:
    verdict = judge(dataclasses.replace(beside("shopp"), environment=environment))
    assert "tenant-known" in [finding.rule for finding in verdict.refusals]


@pytest.mark.parametrize(("name", "failing"), [(case[0], case[2]) for case in CASES], ids=[c[0] for c in CASES])
def test_waiver_sets_a_rule_aside_or_is_refused(name: str, failing: Context) -> None:
    waiver = f"; {name} until 2027-01-31 because it is a trial"
    # A set that breaks a rule without any service needs one to carry the waiver.
    services = tuple(
        dataclasses.replace(each, annotations={**each.annotations, WAIVE: each.annotations.get(WAIVE, "") + waiver})
        for each in failing.manifests.services or (service(),)
    )
    waived = dataclasses.replace(failing.manifests, services=services)
    verdict = judge(dataclasses.replace(failing, environment="production", manifests=waived))
    counts = name in {finding.rule for finding in verdict.findings}
    refused = f"waiver must name a rule that a service can waive, got {name}"
    assert counts is not BY_ID[name].waivable
    assert (refused in {finding.message for finding in verdict.refusals}) is not BY_ID[name].waivable


def test_tls_counts_only_with_the_redirect() -> None:
    rule = BY_ID["tls-in-production"]
    assert list(rule.check(with_platform(gateway=Gateway(address="0.0.0.0", tls=Tls("files"))))) == []
    both = with_platform(gateway=Gateway(address="0.0.0.0", tls=Tls("files", redirect=False)))
    assert [violation.message for violation in rule.check(both)] == [
        "gateway must redirect plain HTTP to TLS on 0.0.0.0, got redirect: false"
    ]


def test_waiver_whose_reason_would_rewrite_a_report_is_not_readable() -> None:
    (violation,) = BY_ID["waiver-readable"].check(waiving("image-tagged until 2027-01-31 because \x1b[2K\rallowed"))
    assert violation.message.endswith(r"got 'image-tagged until 2027-01-31 because \x1b[2K\rallowed'")


def test_every_rule_has_its_case() -> None:
    assert [rule.id for rule in RULES] == [case[0] for case in CASES]
    assert len(BY_ID) == len(RULES) >= 25


@pytest.mark.parametrize(("name", "passing"), [(case[0], case[1]) for case in CASES], ids=[case[0] for case in CASES])
def test_rule_passes_what_keeps_it(name: str, passing: Context) -> None:
    assert [violation.message for violation in BY_ID[name].check(passing)] == []


@pytest.mark.parametrize(
    ("name", "failing", "message"),
    [(name, failing, text) for name, _, failing, text in CASES],
    ids=[c[0] for c in CASES],
)
def test_rule_tells_what_breaks_it(name: str, failing: Context, message: str) -> None:
    assert [violation.message for violation in BY_ID[name].check(failing)] == [message]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_says_a_sentence_and_a_fix(rule: Rule) -> None:
    assert rule.sentence[0].isupper()
    assert rule.sentence.endswith(".")
    assert rule.fix
    assert not rule.fix.endswith(".")


SECRETS = [
    "ghp_" + "b" * 36,
    "glpat-" + "c" * 20,
    "sk_live_" + "d" * 20,
    "AIza" + "e" * 35,
    "xoxb-" + "1" * 12,
    "-----BEGIN RSA PRIVATE KEY-----",
    "eyJ" + "f" * 12 + ".eyJ" + "g" * 12 + "." + "h" * 12,
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda text: text[:6])
def test_known_forms_of_secrets_are_found_and_never_shown(secret: str) -> None:
    given = with_env("VALUE", f"before {secret} after")
    told = [violation.message for rule in RULES for violation in rule.check(given)]
    assert any("env VALUE must not hold" in message for message in told)
    assert not any(secret in message for message in told)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            with_env("CFG", "user=a;password=hunter2"),
            "container hello: env CFG must hold nothing called password, got [secret]",
        ),
        (of(args=("--token", "hunter2")), "container hello: command must hold no secret, got [secret]"),
        (
            of(command=("sh", "-c", "run --password=hunter2")),
            "container hello: command must hold no secret, got [secret]",
        ),
        (
            of(readiness_probe=Probe("exec", command=("redis-cli", "--pass", "hunter2"))),
            "container hello: probe must hold no secret, got [secret]",
        ),
        (
            of(startup_probe=Probe("http", path="/?token=hunter2")),
            "container hello: probe must hold no secret, got [secret]",
        ),
    ],
)
def test_secret_is_found_by_its_name_wherever_it_stands(given: Context, message: str) -> None:
    assert [each.message for rule in RULES if rule.id.startswith("secret") for each in rule.check(given)] == [message]


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("nginx:1", "docker.io/library/nginx:1"),
        ("shop/web", "docker.io/shop/web"),
        ("localhost/web", "localhost/web"),
        ("host:5000/web:1", "host:5000/web:1"),
    ],
)
def test_registry_of_a_short_name_is_dockers_own(image: str, full: str) -> None:
    from policies.image import full_name

    assert full_name(image) == full


@pytest.mark.parametrize(
    ("image", "beginning", "allowed"),
    [
        ("nginx:1.27", "docker.io/library/nginx", True),
        ("nginx", "docker.io/library/nginx", True),
        (f"nginx@{DIGEST}", "docker.io/library/nginx", True),
        ("nginx-evil:1", "docker.io/library/nginx", False),
        ("shop/web:1", "docker.io/shop", True),
        ("shop-evil/web:1", "docker.io/shop", False),
        ("shop.evil/web:1", "docker.io/shop", False),
        ("shop/web:1", "docker.io", True),
        ("ghcr.io:5000/web:1", "ghcr.io", False),
        ("ghcr.io:5000/web:1", "ghcr.io:5000", True),
        ("ghcr.io:50001/web:1", "ghcr.io:5000", False),
        ("ghcr.io.evil.example/web:1", "ghcr.io", False),
        ("evil.example/ghcr.io/web:1", "ghcr.io", False),
    ],
)
def test_allowed_beginning_ends_where_a_part_of_the_name_does(image: str, beginning: str, allowed: bool) -> None:
    subject = service(template=template(containers=(container(image=image),)))
    given = Context(manifests(subject, tenants=(Tenant("default", allowed_registries=(beginning,)),)), "2026-11-23")
    assert (list(BY_ID["registry-allowed"].check(given)) == []) is allowed


def test_service_made_by_hand_is_judged_too() -> None:
    subject: Service = service(uses=("absent",))
    given: Manifests = manifests(subject)
    assert list(BY_ID["callee-known"].check(Context(given, "2026-11-23")))


def test_rules_that_no_manifest_can_break_say_so(tmp_path: Path) -> None:
    said = [rule.id for rule in RULES if "so only code can break this" in rule.sentence]
    assert said == ["limits-present", "callee-known"]
    written = "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web%s}\n"
    written += "spec: {template: {spec: {containers: [{image: shop/web:1}]}}}\n"
    (tmp_path / "web.yaml").write_text(written % "")
    read = Context(load([tmp_path]).manifests, "2026-11-23")
    assert [each for name in said for each in BY_ID[name].check(read)] == []
    (tmp_path / "web.yaml").write_text(written % ", annotations: {runyard.dev/uses: absent}")
    with pytest.raises(ManifestError, match="absent"):
        load([tmp_path])


def test_init_containers_are_held_to_the_rules_of_containers() -> None:
    early = container(name="early", port=None, image="shop/early", run_as_user=0, env=(EnvVar("DB_PASSWORD", "a"),))
    found = judge(shaped(init_containers=(early,))).findings
    assert [(each.rule, each.message) for each in found] == [
        ("secret-by-name", "container early: env DB_PASSWORD must be a secretKeyRef, got a plain value"),
        ("image-tagged", "container early: image must name a tag or digest, got shop/early"),
        ("non-root-user", "container early: runAsUser must not be 0 (root), got 0"),
    ]


def test_update_without_new_revisions_is_let_in_whatever_was_spent() -> None:
    assert blocked(spending("200", deployed=True)) == []
    assert len(blocked(spending("200"))) == 1


def test_budget_that_is_raised_enough_is_let_in_with_what_it_is_raised_for() -> None:
    assert blocked(spending("95", "110")) == []
    assert len(blocked(spending("99", "110"))) == 1


def test_what_was_crossed_stays_so_when_a_forecast_comes_back() -> None:
    seen = spending("95")
    (status,) = seen.budgets
    back = dataclasses.replace(status, spend=Spend(Decimal(30), Decimal(60)))
    assert len(blocked(dataclasses.replace(seen, budgets=(back,)))) == 1
    assert blocked(dataclasses.replace(seen, budgets=(dataclasses.replace(back, crossings=()),))) == []


def test_ledger_that_tells_of_nobody_refuses_nothing() -> None:
    assert blocked(dataclasses.replace(spending("200"), budgets=())) == []
