"""Rules of protections that annotations would switch off, here or where the manifest came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policies.rule import Context, Rule, Violation, of_service

_FORBIDDEN_PREFIXES = (
    "container.apparmor.security.beta.kubernetes.io/",
    "container.seccomp.security.alpha.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
    "security.alpha.kubernetes.io/",
)
_BREAKGLASS = "run.googleapis.com/binary-authorization-breakglass"


def check_dangerous(context: Context) -> Iterator[Violation]:
    """Find annotations that switch a protection off."""
    for service in context.manifests.services:
        for given in (service.annotations, service.template.annotations):
            for name in _dangerous(given):
                yield of_service(service, f"must not have the annotation {name}, got it")


def _dangerous(annotations: Mapping[str, str]) -> Iterator[str]:
    for name, value in sorted(annotations.items()):
        # Any reason breaks the glass; `no` and `false` are how samples spell that it is whole.
        broken = name == _BREAKGLASS and value.strip().lower() not in ("", "no", "false")
        if broken or name.startswith(_FORBIDDEN_PREFIXES):
            yield name


RULES = (
    Rule(
        "no-dangerous-annotations",
        "No annotation switches a protection off.",
        "mandatory",
        "remove the annotation",
        check_dangerous,
        waivable=False,
    ),
)
