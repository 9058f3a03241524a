"""Rules of the host: each looks at one thing of a survey, says what it saw, and what command mends it; pure.

Ids are of the CIS Docker Benchmark, by docker-bench-security; what has none there is Runyard's own advice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runyard.host.survey import Machine, Survey
from runyard.verify.host.finding import Finding, Report
from runyard.verify.host.holes import Component, find_holes

Rule = Callable[[Survey], Finding]

# Less than either, and images and logs soon find none.
_GIBIBYTE = 1024**3
_LEAST_FREE_BYTES = 5 * _GIBIBYTE
_LEAST_FREE_SHARE = 0.1
_LOCAL = "only a user of the engine's own machine can see it: run this there"
_UNREAD = "this user may not read it: run this as root"
# What the benchmark wants watched, with the ids of its rules; a directory is watched with all below it.
_WATCHED = {
    "1.1.3": "/usr/bin/dockerd",
    "1.1.5": "/var/lib/docker",
    "1.1.6": "/etc/docker",
    "1.1.9": "/run/docker.sock",
    "1.1.18": "/usr/bin/runc",
}


def survey_host(survey: Survey) -> Report:
    """Ask every rule."""
    return Report([rule(survey) for rule in RULES])


def check_engine(survey: Survey) -> Finding:
    """Look for known holes of the engine's version."""
    plugins = bool((survey.info.get("Plugins") or {}).get("Authorization"))
    version = str(survey.version.get("Version") or survey.component("Engine"))
    return _check_holes(survey, "engine", "known holes of the engine", version, plugins=plugins)


def check_runc(survey: Survey) -> Finding:
    """Look for known holes of runc's version."""
    return _check_holes(survey, "runc", "known holes of runc", survey.component("runc"))


def _check_holes(survey: Survey, component: Component, title: str, version: str, *, plugins: bool = False) -> Finding:
    changelog = survey.machine.changelogs.get(component, "") if survey.machine else ""
    try:
        open_ = list(find_holes(component, version, changelog, plugins=plugins))
        all_ = list(find_holes(component, version, plugins=plugins))
    except ValueError:
        return Finding("1.2.2", title, "unknown", f"it tells no version to compare, but {version!r}")
    mended = [each.id for each in all_ if each not in open_]
    seen = f"{version}" + (f"; its package's changelog names as mended: {', '.join(mended)}" if mended else "")
    if not open_:
        return Finding("1.2.2", title, "good", seen)
    told = ", ".join(f"{each.id} ({each.what}; mended in {', '.join(each.mended)})" for each in open_)
    package = "docker.io" if component == "engine" else "runc"
    mend = f"apt-get update && apt-get install --only-upgrade {package} && apt-get changelog {package} | grep CVE"
    if not changelog and any(mark in version for mark in ("+dfsg", "+ds", "ubuntu", "~")):
        return Finding("1.2.2", title, "unknown", f"{seen}: unless the distribution has mended it, {told}", mend)
    return Finding("1.2.2", title, "advice", f"{seen}: {told}", mend)


def check_user_namespaces(survey: Survey) -> Finding:
    """Tell why root of a container is root of the host's user namespace."""
    title = "user namespaces"
    if _has_option(survey, "userns") or _has_option(survey, "rootless"):
        return Finding("2.9", title, "good", "user namespaces are remapped")
    why = (
        "not remapped; leave it so: an engine that remaps refuses containers on the host's network, "
        "which Runyard's parts are; runAsUser and images with a user of their own keep instances from being root"
    )
    return Finding("2.9", title, "kept", why)


def check_security_module(survey: Survey) -> Finding:
    """Look for AppArmor or SELinux."""
    title = "AppArmor or SELinux"
    for name in ("apparmor", "selinux"):
        if _has_option(survey, name):
            return Finding("5.2", title, "good", name)
    mend = "apt-get install apparmor && systemctl enable --now apparmor && systemctl restart docker"
    return Finding("5.2", title, "advice", "the engine has neither", mend)


def check_seccomp(survey: Survey) -> Finding:
    """Look for seccomp and its default profile."""
    title = "seccomp"
    if not _has_option(survey, "seccomp"):
        mend = "use a kernel with CONFIG_SECCOMP_FILTER=y: zgrep SECCOMP /proc/config.gz"
        return Finding("5.22", title, "advice", "the engine has none, so Runyard's own profile is not applied", mend)
    if "unconfined" in _option(survey, "seccomp"):
        seen = "the engine's default is unconfined; instances have Runyard's own profile all the same"
        return Finding("5.22", title, "advice", seen, _unset("seccomp-profile"))
    return Finding("5.22", title, "good", _option(survey, "seccomp").partition(",")[2] or "on")


def check_live_restore(survey: Survey) -> Finding:
    """Look whether containers outlive the engine."""
    title = "live-restore"
    if survey.info.get("LiveRestoreEnabled"):
        return Finding("2.15", title, "good", "on: containers go on while the engine is restarted")
    return Finding(
        "2.15",
        title,
        "advice",
        "off: containers end when the engine is restarted",
        _set("live-restore", "true", reload=True),
    )


def check_userland_proxy(survey: Survey) -> Finding:
    """Look for the proxy of published ports, which is a process of root's for each."""
    title = "userland-proxy"
    machine = survey.machine
    if machine is None or machine.settings is None:
        return _unseen("2.16", title, machine)
    if machine.settings.get("userland-proxy") is False:
        return Finding("2.16", title, "good", "off")
    return Finding(
        "2.16", title, "advice", "on: a process of root's for each published port", _set("userland-proxy", "false")
    )


def check_default_bridge(survey: Survey) -> Finding:
    """Look whether containers on the default bridge reach each other; those of a stack are on bridges of its own."""
    title = "traffic between containers of the default bridge"
    options = survey.bridge.get("Options") or {}
    if options.get("com.docker.network.bridge.enable_icc") == "false":
        return Finding("2.2", title, "good", "off")
    return Finding("2.2", title, "advice", "on; instances are on bridges of their own", _set("icc", "false"))


def check_tcp(survey: Survey) -> Finding:
    """Look for an engine that anybody on the network can use."""
    title = "TCP without TLS"
    warnings = [str(each) for each in survey.info.get("Warnings") or () if "API is accessible on http" in str(each)]
    if not warnings:
        return Finding("2.7", title, "good", "the engine does not listen so")
    mend = "remove -H tcp://… from the engine's command line or hosts from /etc/docker/daemon.json, and use ssh://"
    return Finding("2.7", title, "advice", warnings[0].partition("\n")[0], mend)


def check_registries(survey: Survey) -> Finding:
    """Look for registries that the engine trusts without TLS."""
    title = "registries without TLS"
    configured = survey.info.get("RegistryConfig") or {}
    open_ = sorted(name for name, each in (configured.get("IndexConfigs") or {}).items() if not each.get("Secure"))
    # The engine's own default.
    open_ += sorted(set(configured.get("InsecureRegistryCIDRs") or ()) - {"127.0.0.0/8", "::1/128"})
    if not open_:
        return Finding("2.5", title, "good", "none but this machine's own")
    return Finding("2.5", title, "advice", ", ".join(open_), _unset("insecure-registries"))


def check_audit(survey: Survey) -> Finding:
    """Look for audit rules on what makes whoever changes it root."""
    title = "audit rules"
    ids = f"{next(iter(_WATCHED))} to {next(reversed(_WATCHED))}"
    machine = survey.machine
    if machine is None or machine.audit is None:
        return _unseen(ids, title, machine)
    missing = [path for path in _WATCHED.values() if not any(_watches(line, path) for line in machine.audit)]
    if not missing:
        return Finding(ids, title, "good", ", ".join(_WATCHED.values()))
    rules = " ".join(f"'-w {path} -k docker'" for path in missing)
    mend = f"apt-get install auditd && printf '%s\\n' {rules} >> /etc/audit/rules.d/docker.rules && augenrules --load"
    return Finding(ids, title, "advice", f"not watched: {', '.join(missing)}", mend)


def check_socket(survey: Survey) -> Finding:
    """Look at who may use the engine's socket."""
    title = "permissions of the engine's socket"
    machine = survey.machine
    if machine is None:
        return _unseen("3.15, 3.16", title, machine)
    seen = f"{machine.socket}: owner {machine.socket_owner}, mode {machine.socket_mode:04o}"
    if machine.socket_owner == 0 and not machine.socket_mode & 0o117:
        return Finding("3.15, 3.16", title, "good", seen)
    return Finding(
        "3.15, 3.16", title, "advice", seen, f"chown root:docker {machine.socket} && chmod 660 {machine.socket}"
    )


def check_members(survey: Survey) -> Finding:
    """Name who is root by being in the socket's group."""
    title = "members of the socket's group"
    machine = survey.machine
    if machine is None:
        return _unseen("1.1.2", title, machine)
    if not machine.members:
        return Finding("1.1.2", title, "good", "none")
    mend = " && ".join(f"gpasswd --delete {each} docker" for each in machine.members)
    return Finding("1.1.2", title, "advice", f"as good as root: {', '.join(machine.members)}", mend)


def check_logs(survey: Survey) -> Finding:
    """Look whether logs of containers that are not Runyard's fill the disk."""
    title = "limits of logs"
    driver, machine = str(survey.info.get("LoggingDriver") or ""), survey.machine
    if driver not in ("json-file", "local"):
        return Finding("", title, "good", f"they go to {driver or 'nowhere'}")
    if driver == "local":
        return Finding("", title, "good", "the driver local rotates them by itself")
    if machine is None or machine.settings is None:
        return _unseen("", title, machine)
    if (machine.settings.get("log-opts") or {}).get("max-size"):
        return Finding("", title, "good", f"json-file of {machine.settings['log-opts']['max-size']}")
    value = '{"max-size": "10m", "max-file": "3"}'
    return Finding("", title, "advice", "json-file without max-size, but for Runyard's own", _set("log-opts", value))


def check_content_trust(survey: Survey) -> Finding:
    """Look whether images that are pulled by hand are verified."""
    title = "content trust"
    if survey.content_trust:
        return Finding("4.5", title, "good", "DOCKER_CONTENT_TRUST is 1")
    seen = "off in this environment; it is the command's alone, and Runyard names images by digest in signed documents"
    return Finding("4.5", title, "advice", seen, "echo export DOCKER_CONTENT_TRUST=1 > /etc/profile.d/docker.sh")


def check_limits(survey: Survey) -> Finding:
    """Look whether the kernel holds instances to their limits."""
    title = "limits of memory, swap, processors and processes"
    keys = {"MemoryLimit": "memory", "SwapLimit": "swap", "CpuCfsQuota": "processors", "PidsLimit": "processes"}
    missing = [word for key, word in keys.items() if not survey.info.get(key)]
    if not missing:
        return Finding("5.11, 5.12, 5.29", title, "good", "the kernel has them")
    mend = "add cgroup_enable=memory swapaccount=1 to GRUB_CMDLINE_LINUX in /etc/default/grub, update-grub, reboot"
    return Finding("5.11, 5.12, 5.29", title, "advice", f"the kernel has none of {', '.join(missing)}", mend)


def check_cgroups(survey: Survey) -> Finding:
    """Look for the control groups of today."""
    title = "version of control groups"
    version = str(survey.info.get("CgroupVersion") or "1")
    if version == "2":
        return Finding("", title, "good", "2")
    mend = "add systemd.unified_cgroup_hierarchy=1 to GRUB_CMDLINE_LINUX in /etc/default/grub, update-grub, reboot"
    return Finding("", title, "advice", f"{version}; Runyard runs on both", mend)


def check_disk(survey: Survey) -> Finding:
    """Look for room where the engine keeps images, logs and volumes."""
    title = "free disk"
    machine = survey.machine
    if machine is None or machine.disk_free_bytes is None or not machine.disk_bytes:
        return _unseen("", title, machine)
    free, total = machine.disk_free_bytes, machine.disk_bytes
    seen = f"{free / _GIBIBYTE:.1f} of {total / _GIBIBYTE:.1f} GiB are free"
    if free >= _LEAST_FREE_BYTES and free >= total * _LEAST_FREE_SHARE:
        return Finding("", title, "good", seen)
    return Finding("", title, "advice", seen, "docker system df --verbose")


def check_partition(survey: Survey) -> Finding:
    """Look whether a full disk of containers is a full disk of the host."""
    title = "partition of the engine's own"
    machine, data = survey.machine, str(survey.info.get("DockerRootDir") or "/var/lib/docker")
    if machine is None:
        return _unseen("1.1.1", title, machine)
    if machine.disk_apart:
        return Finding("1.1.1", title, "good", data)
    mend = f"mount a file system at {data}, with the engine stopped and what is there copied to it"
    return Finding("1.1.1", title, "advice", f"{data} is on the host's own", mend)


def check_experimental(survey: Survey) -> Finding:
    """Look for functions that nobody promises anything about."""
    title = "experimental functions"
    if not survey.info.get("ExperimentalBuild"):
        return Finding("2.18", title, "good", "off")
    return Finding("2.18", title, "advice", "on", _unset("experimental"))


RULES: tuple[Rule, ...] = (
    check_engine,
    check_runc,
    check_user_namespaces,
    check_security_module,
    check_seccomp,
    check_live_restore,
    check_userland_proxy,
    check_default_bridge,
    check_tcp,
    check_registries,
    check_audit,
    check_socket,
    check_members,
    check_logs,
    check_content_trust,
    check_limits,
    check_cgroups,
    check_disk,
    check_partition,
    check_experimental,
)


def _option(survey: Survey, name: str) -> str:
    """Give the engine's security option of a name, as `name=seccomp,profile=default`; empty without one."""
    options: Iterable[object] = survey.info.get("SecurityOptions") or ()
    return next((str(each) for each in options if str(each).split(",")[0] == f"name={name}"), "")


def _has_option(survey: Survey, name: str) -> bool:
    return bool(_option(survey, name))


def _unseen(id_: str, title: str, machine: Machine | None) -> Finding:
    return Finding(id_, title, "unknown", _LOCAL if machine is None else _UNREAD)


def _watches(line: str, path: str) -> bool:
    """Tell whether an audit rule watches a file or a directory above it."""
    words = line.split()
    watched = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-w"]
    watched += [word.partition("=")[2] for word in words if word.startswith(("path=", "dir="))]
    return any(path == each or path.startswith(each.rstrip("/") + "/") for each in watched)


def _set(key: str, value: str, *, reload: bool = False) -> str:
    """Say the command that sets a key of the engine's configuration; most settings want a restart."""
    return _edit(f'."{key}" = {value}', "reload" if reload else "restart")


def _unset(key: str) -> str:
    return _edit(f'del(."{key}")', "restart")


def _edit(change: str, then: str) -> str:
    file = "/etc/docker/daemon.json"
    edit = f"( cat {file} 2>/dev/null || echo '{{}}' ) | jq '{change}' > {file}.new && mv {file}.new {file}"
    return f"{edit} && systemctl {then} docker"
