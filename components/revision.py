"""Revision: the never-started containers that carry a revision's image, environment, limits and hardening."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from runyard.manifest.model import EnvVar
from runyard.plan import KeptRevision, RevisionPlan, TemplatePlan

# The Docker provider counts memory in mebibytes; instances get the exact number from their label.
_MEBIBYTE = 1024 * 1024
# Ten megabytes thrice: enough for last lines, bounded for a host (faults 26, 27).
_LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
# Bounded against leaks, and below the hard limit of a daemon that may not raise its own (20,000 seen).
_MAX_OPEN_FILES = 10_000
# The kernel's default period of the CFS bandwidth controller (Documentation/scheduler/sched-bwc).
_CPU_PERIOD_US = 100_000

Secrets = Mapping[str, str]


class Revision(pulumi.ComponentResource):
    """A revision's templates, one container each; they are created, never started and never changed.

    Output: `revision_name`. `secrets` maps `name/key` to values for the environment's references.
    """

    revision_name: pulumi.Output[str]
    templates: list[docker.Container]

    def __init__(
        self,
        plan: RevisionPlan,
        secrets: pulumi.Output[Secrets] | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the templates of `plan`."""
        name = f"{plan.tenant}.{plan.identity}"
        super().__init__("runyard:revision:Revision", name, {"digest": plan.digest}, opts)
        self.templates = [self._template(name, template, secrets) for template in plan.templates]
        self.revision_name = pulumi.Output.from_input(plan.name)
        self.register_outputs({"revision_name": self.revision_name})

    def _template(self, name: str, plan: TemplatePlan, secrets: pulumi.Output[Secrets] | None) -> docker.Container:
        return docker.Container(
            f"{name}.{plan.spec.container}",
            name=plan.name,
            image=plan.image,
            entrypoints=list(plan.entrypoint) or None,
            command=list(plan.command) or None,
            envs=_environment(plan.environment, secrets),
            working_dir=plan.working_dir or None,
            user=plan.user or None,
            start=False,
            must_run=False,
            restart="no",
            memory=-(-plan.memory_bytes // _MEBIBYTE),
            # Equal to memory: no swap, so a limit is a limit.
            memory_swap=-(-plan.memory_bytes // _MEBIBYTE),
            # Not `cpus`: the provider reads 0.08 back as 0.1, and every preview would show a change.
            cpu_period=_CPU_PERIOD_US,
            cpu_quota=plan.cpu_millis * _CPU_PERIOD_US // 1000,
            read_only=True,
            tmpfs=dict(plan.tmpfs),
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges"],
            ulimits=[docker.ContainerUlimitArgs(name="nofile", soft=_MAX_OPEN_FILES, hard=_MAX_OPEN_FILES)],
            hosts=[docker.ContainerHostArgs(host=host, ip=address) for host, address in sorted(plan.hosts.items())],
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=plan.network)],
            log_driver="json-file",
            log_opts=_LOG_OPTIONS,
            labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(plan.labels.items())],
            opts=pulumi.ResourceOptions(parent=self),
        )


class EarlierRevision(pulumi.ComponentResource):
    """A revision that was made before and stays: the same resources, whatever their inputs were then.

    What the templates hold stands in the state alone, secrets in their cipher; `ignore_changes` on everything keeps it
    as it is. Pulumi goes on owning them, and deletes them when they are declared no more.
    """

    templates: list[docker.Container]

    def __init__(self, tenant: str, kept: KeptRevision, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the templates of `kept` again."""
        name = f"{tenant}.{kept.identity}"
        super().__init__("runyard:revision:Revision", name, {"digest": kept.digest}, opts)
        # The SDK insists on an image.
        self.templates = [
            docker.Container(
                f"{name}.{container}",
                image=image,
                opts=pulumi.ResourceOptions(parent=self, ignore_changes=["*"]),
            )
            for container, image in kept.templates.items()
        ]
        self.register_outputs({"revision_name": kept.name})


def _environment(
    variables: tuple[EnvVar, ...], secrets: pulumi.Output[Secrets] | None
) -> list[str] | pulumi.Output[list[str]]:
    plain = [f"{variable.name}={variable.value}" for variable in variables if variable.reference is None]
    references = [variable for variable in variables if variable.reference is not None]
    if not references or secrets is None:
        return sorted(plain)

    def resolve(values: Secrets) -> list[str]:
        return sorted(plain + [f"{each.name}={values[_key(each)]}" for each in references if _key(each) in values])

    return secrets.apply(resolve)


def _key(variable: EnvVar) -> str:
    reference = variable.reference
    return "" if reference is None else f"{reference.name}/{reference.key}"
