"""Advice on this very host, as a user asks for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.harness.stack import ROOT, docker


def advise(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runyard.cli.main", "verify", "--host", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60, check=False)


def test_host_is_looked_at_without_a_stack_and_nothing_found_fails():
    done = advise("-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    states = [each["state"] for each in report["findings"]]
    assert {state: states.count(state) for state in report["summary"]} == report["summary"]
    found = {each["title"]: each for each in report["findings"]}
    info = json.loads(docker("info", "--format", "{{json .}}"))
    assert (found["live-restore"]["state"] == "good") is info["LiveRestoreEnabled"]
    assert (found["seccomp"]["state"] == "good") is any("name=seccomp" in each for each in info["SecurityOptions"])
    assert found["known holes of the engine"]["seen"].startswith(info["ServerVersion"])
    # The engine is on this machine, so its files are seen.
    assert found["permissions of the engine's socket"]["state"] != "unknown"
    assert all(each["mend"] for each in report["findings"] if each["state"] == "advice")


def test_advice_is_text_for_people_too():
    done = advise()
    assert done.returncode == 0
    assert "holes are those known until" in done.stdout.splitlines()[-1]


def test_doctor_sees_this_host_and_says_what_mends_what_lacks(tmp_path: Path):
    command = [sys.executable, "-m", "runyard.cli.main", "doctor", "--stack", "nobody", "-o", "json"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60, check=False)
    report = json.loads(done.stdout)
    found = {each["title"]: each for each in report["diagnoses"]}
    version = docker("version", "--format", "{{.Server.Version}}").strip()
    assert (found["engine"]["state"], found["engine"]["seen"].split()[0]) == ("good", version)
    assert found["pulumi"]["state"] == "good"
    assert found["clock"]["state"] == "good"
    assert all(each["mend"] for each in report["diagnoses"] if each["state"] in ("lacking", "advice"))
    # Other stacks of this machine may have the usual ports.
    assert done.returncode == (1 if report["summary"]["lacking"] else 0), done.stderr
    away = os.environ | {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    lacking = subprocess.run(command, cwd=ROOT, env=away, capture_output=True, text=True, timeout=60, check=False)
    first = json.loads(lacking.stdout)["diagnoses"][0]
    assert (lacking.returncode, first["title"], first["state"]) == (1, "engine", "lacking"), lacking.stderr
