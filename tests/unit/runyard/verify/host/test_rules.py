"""Rules of the host: each on a host that keeps it, on one that does not, and where it cannot be seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from runyard.host.survey import Machine, Survey
from runyard.verify.host import rules
from runyard.verify.host.finding import Finding
from runyard.verify.host.rules import RULES, Rule, survey_host

GIB = 1024**3
# As a hardened host of today tells of itself.
INFO: Mapping[str, Any] = {
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=userns"],
    "LiveRestoreEnabled": True,
    "LoggingDriver": "json-file",
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsQuota": True,
    "PidsLimit": True,
    "CgroupVersion": "2",
    "DockerRootDir": "/var/lib/docker",
    "ExperimentalBuild": False,
    "Plugins": {"Authorization": None},
    "RegistryConfig": {
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Secure": True}},
    },
    "Warnings": None,
}
VERSION: Mapping[str, Any] = {
    "Version": "29.5.1",
    "Components": [{"Name": "Engine", "Version": "29.5.1"}, {"Name": "runc", "Version": "1.3.3"}],
}
ICC = "com.docker.network.bridge.enable_icc"
MACHINE = Machine(
    settings={"userland-proxy": False, "log-opts": {"max-size": "10m"}},
    audit=(
        *("-w /usr/bin/dockerd -k docker", "-w /var/lib/docker -k docker", "-w /etc/docker -k docker"),
        *("-a always,exit -F path=/run/docker.sock -F perm=war", "-a always,exit -F dir=/usr/bin -F perm=wa"),
    ),
    socket="/var/run/docker.sock",
    socket_mode=0o660,
    socket_owner=0,
    disk_free_bytes=50 * GIB,
    disk_bytes=100 * GIB,
    disk_apart=True,
)
GOOD = Survey(INFO, VERSION, {"Options": {ICC: "false"}}, content_trust=True, machine=MACHINE)


def info(**changes: Any) -> Survey:
    return dataclasses.replace(GOOD, info={**INFO, **changes})


def machine(**changes: Any) -> Survey:
    return dataclasses.replace(GOOD, machine=dataclasses.replace(MACHINE, **changes))


def runc(version: str, changelog: str = "") -> Survey:
    components = [{"Name": "runc", "Version": version}]
    found = machine(changelogs={"runc": changelog})
    return dataclasses.replace(found, version={**VERSION, "Components": components})


def test_host_that_keeps_every_rule_has_nothing_to_mend() -> None:
    report = survey_host(GOOD)
    assert [each for each in report.findings if each.state != "good" or each.mend] == []
    assert len(report.findings) == len(RULES) == len(set(RULES))


@pytest.mark.parametrize(
    ("rule", "survey", "id_", "seen", "mend"),
    [
        (
            rules.check_engine,
            dataclasses.replace(GOOD, version={"Version": "29.5.0"}),
            "1.2.2",
            "29.5.0: CVE-2026-41567 (",
            "apt-get update && apt-get install --only-upgrade docker.io",
        ),
        (
            rules.check_engine,
            dataclasses.replace(
                info(Plugins={"Authorization": ["opa"]}), version={"Version": "29.3.0", "Components": []}
            ),
            "1.2.2",
            "CVE-2026-34040 (plugins are passed by; mended in 29.3.1)",
            "--only-upgrade docker.io",
        ),
        (rules.check_runc, runc("1.1.11"), "1.2.2", "1.1.11: CVE-2024-21626 (", "--only-upgrade runc"),
        (
            rules.check_runc,
            runc("1.1.5+ds1", "  * CVE-2024-21626: breakouts"),
            "1.2.2",
            "its package's changelog names as mended: CVE-2024-21626: CVE-2025-31133 (",
            "--only-upgrade runc",
        ),
        (rules.check_security_module, info(SecurityOptions=["name=seccomp"]), "5.2", "neither", "install apparmor"),
        (rules.check_seccomp, info(SecurityOptions=[]), "5.22", "the engine has none", "CONFIG_SECCOMP_FILTER"),
        (
            rules.check_seccomp,
            info(SecurityOptions=["name=seccomp,profile=unconfined"]),
            "5.22",
            "the engine's default is unconfined",
            'del(."seccomp-profile")',
        ),
        (rules.check_live_restore, info(LiveRestoreEnabled=False), "2.15", "off", "systemctl reload docker"),
        (rules.check_userland_proxy, machine(settings={}), "2.16", "on", '."userland-proxy" = false'),
        (
            rules.check_default_bridge,
            dataclasses.replace(GOOD, bridge={"Options": {ICC: "true"}}),
            *("2.2", "on; instances are on bridges of their own", '."icc" = false'),
        ),
        (
            rules.check_tcp,
            info(Warnings=["WARNING: API is accessible on http://0.0.0.0:2375 without encryption.\n  Access"]),
            *("2.7", "WARNING: API is accessible on http://0.0.0.0:2375 without encryption.", "remove -H tcp://"),
        ),
        (
            rules.check_registries,
            info(RegistryConfig={"InsecureRegistryCIDRs": ["10.0.0.0/8"], "IndexConfigs": {"a:5000": {}}}),
            *("2.5", "a:5000, 10.0.0.0/8", 'del(."insecure-registries")'),
        ),
        (
            rules.check_audit,
            machine(audit=("-w /etc/docker -k docker", "-w /var/lib -k all")),
            "1.1.3 to 1.1.18",
            "not watched: /usr/bin/dockerd, /run/docker.sock, /usr/bin/runc",
            "'-w /usr/bin/dockerd -k docker' '-w /run/docker.sock -k docker' '-w /usr/bin/runc -k docker' >> ",
        ),
        (rules.check_socket, machine(socket_mode=0o666), "3.15, 3.16", "owner 0, mode 0666", "chmod 660 /var/run/"),
        (rules.check_socket, machine(socket_owner=1000), "3.15, 3.16", "owner 1000, mode 0660", "chown root:docker"),
        (
            rules.check_members,
            machine(members=("ana", "bo")),
            "1.1.2",
            "as good as root: ana, bo",
            "gpasswd --delete ana docker && gpasswd --delete bo docker",
        ),
        (rules.check_logs, machine(settings={}), "", "json-file without max-size", '."log-opts" = {"max-size"'),
        (
            rules.check_content_trust,
            dataclasses.replace(GOOD, content_trust=False),
            *("4.5", "off in this environment", "DOCKER_CONTENT_TRUST=1"),
        ),
        (
            rules.check_limits,
            info(SwapLimit=False, PidsLimit=None),
            *("5.11, 5.12, 5.29", "the kernel has none of swap, processes", "swapaccount=1"),
        ),
        (rules.check_cgroups, info(CgroupVersion="1"), "", "1; Runyard runs on both", "unified_cgroup_hierarchy=1"),
        (rules.check_disk, machine(disk_free_bytes=4 * GIB), "", "4.0 of 100.0 GiB are free", "docker system df"),
        (
            rules.check_disk,
            machine(disk_free_bytes=50 * GIB, disk_bytes=1000 * GIB),
            *("", "50.0 of 1000.0 GiB are free", "docker system df"),
        ),
        (rules.check_partition, machine(disk_apart=False), "1.1.1", "on the host's own", "/var/lib/docker"),
        (rules.check_experimental, info(ExperimentalBuild=True), "2.18", "on", 'del(."experimental")'),
    ],
)
def test_rule_tells_what_breaks_it_and_the_command_that_mends_it(
    rule: Rule, survey: Survey, id_: str, seen: str, mend: str
) -> None:
    found = rule(survey)
    assert (found.id, found.state) == (id_, "advice")
    assert seen in found.seen
    assert mend in found.mend
    assert rule(GOOD).state == "good"


def test_namespaces_that_are_not_remapped_stay_so_because_parts_need_the_hosts_network() -> None:
    found = rules.check_user_namespaces(info(SecurityOptions=["name=seccomp"]))
    assert (found.id, found.state, found.mend) == ("2.9", "kept", "")
    assert "refuses containers on the host's network" in found.seen


@pytest.mark.parametrize("driver", ["local", "journald"])
def test_logs_of_other_drivers_are_not_advised_about(driver: str) -> None:
    assert rules.check_logs(dataclasses.replace(info(LoggingDriver=driver), machine=None)).state == "good"


@pytest.mark.parametrize("module", ["name=apparmor", "name=selinux"])
def test_either_security_module_will_do(module: str) -> None:
    assert rules.check_security_module(info(SecurityOptions=[module])).state == "good"


def test_distributions_version_without_its_changelog_is_not_judged() -> None:
    found = rules.check_runc(runc("1.1.5+ds1"))
    assert found.state == "unknown"
    assert found.seen.startswith("1.1.5+ds1: unless the distribution has mended it, CVE-2024-21626 (")


def test_component_that_tells_no_version_is_unknown() -> None:
    found = rules.check_runc(dataclasses.replace(GOOD, version={}))
    assert (found.state, found.seen) == ("unknown", "it tells no version to compare, but ''")


OF_THE_MACHINE = {
    rules.check_userland_proxy,
    rules.check_audit,
    rules.check_socket,
    rules.check_members,
    rules.check_logs,
    rules.check_disk,
    rules.check_partition,
}


def test_what_only_the_machine_tells_is_unknown_from_elsewhere_and_all_else_is_not() -> None:
    away = dataclasses.replace(GOOD, machine=None)
    unknown = {rule for rule in RULES if rule(away).state == "unknown"}
    assert unknown == OF_THE_MACHINE
    assert all("run this there" in rule(away).seen for rule in unknown)


def test_what_this_user_may_not_read_is_unknown() -> None:
    blind = machine(settings=None, audit=None, disk_free_bytes=None)
    unknown = [rule(blind) for rule in RULES if rule(blind).state == "unknown"]
    assert {each.title for each in unknown} == {"userland-proxy", "audit rules", "limits of logs", "free disk"}
    assert all("as root" in each.seen for each in unknown)


def test_report_has_first_what_is_to_be_done_and_counts_each_state() -> None:
    report = survey_host(dataclasses.replace(info(CgroupVersion="1", SecurityOptions=["name=seccomp"]), machine=None))
    described = report.describe()
    assert described["summary"] == {"advice": 2, "unknown": 7, "kept": 1, "good": 10}
    states = [each["state"] for each in described["findings"]]
    assert states == ["advice"] * 2 + ["unknown"] * 7 + ["kept"] + ["good"] * 10
    lines = report.render().splitlines()
    assert lines[0].startswith("advice   5.2 ")
    assert lines[1].startswith("  mend: apt-get install apparmor")
    assert lines[-1] == "2 advice, 7 unknown, 1 kept, 10 good; holes are those known until 2026-09"
    assert report.render_markdown().splitlines()[0] == "| state | id | rule | seen | mend |"


def test_finding_without_a_mend_has_none_below_it() -> None:
    lines = survey_host(GOOD).render().splitlines()
    assert len(lines) == len(RULES) + 1
    assert Finding("", "a", "good", "b").mend == ""
