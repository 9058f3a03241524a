"""Benchmark of `runyard validate`: its start beside `import yaml`, and 1,000 services beside yaml.CSafeLoader.

Run with `python tests/bench/bench_validate.py`. Each round measures both sides one after the other, so a busy
machine slows both; the ratio of a round is what counts. The target is 6 at most, for both.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from runyard.manifest import load

SERVICE = """\
apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: {name}
  namespace: {tenant}
  labels: {{team: shop}}
  annotations:
    run.googleapis.com/ingress: internal
    runyard.dev/uses: {callee}
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/minScale: "1"
    spec:
      containerConcurrency: 40
      timeoutSeconds: 60
      containers:
        - name: web
          image: shop/{name}:1.4.2
          args: ["--listen", ":8080"]
          ports: [{{containerPort: 8080}}]
          env:
            - {{name: LOG_LEVEL, value: info}}
            - {{name: CACHE, value: "on"}}
            - name: TOKEN
              valueFrom: {{secretKeyRef: {{name: token, key: latest}}}}
          resources: {{limits: {{cpu: "1", memory: 512Mi}}}}
          readinessProbe: {{httpGet: {{path: /healthz}}}}
          volumeMounts: [{{name: cache, mountPath: /cache}}]
      volumes: [{{name: cache, emptyDir: {{sizeLimit: 64Mi}}}}]
  traffic: [{{latestRevision: true, percent: 100}}]
"""


def write_services(directory: Path, count: int) -> list[Path]:
    """Write `count` services, a hundred to a tenant, one to a file; return the files."""
    files = []
    for number in range(count):
        callee = f"service-{number - number % 10 + (number + 1) % 10}"
        text = SERVICE.format(name=f"service-{number}", tenant=f"tenant-{number // 100}", callee=callee)
        files.append(directory / f"service-{number}.yaml")
        files[-1].write_text(text, encoding="utf-8")
    return files


def measure(action: Callable[[], object]) -> float:
    """Measure an action in seconds."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def compare(title: str, ours: Callable[[], object], theirs: Callable[[], object], rounds: int) -> None:
    """Measure both sides in turn and print the median ratio with its spread."""
    ours(), theirs()
    pairs = [(measure(theirs), measure(ours)) for _ in range(rounds)]
    ratios = sorted(ours_s / theirs_s for theirs_s, ours_s in pairs)
    theirs_s, ours_s = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"{title}: {statistics.median(ratios):.2f} x (of {rounds} rounds {ratios[0]:.2f} to {ratios[-1]:.2f}; "
        f"{ours_s * 1000:.0f} ms beside {theirs_s * 1000:.0f} ms; target 6 x)"
    )


def read_all(files: list[Path]) -> None:
    """Read every file with PyYAML's C loader alone."""
    for file in files:
        with file.open(encoding="utf-8") as stream:
            yaml.load(stream, Loader=yaml.CSafeLoader)


def load_and_plan(directory: Path) -> object:
    """Read, check and plan every service of a directory."""
    manifests = load([directory]).manifests
    from runyard.plan import plan

    return plan(manifests, stack="bench")


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        files = write_services(directory, options.services)
        small = str(files[0].with_name("small.yml"))
        Path(small).write_text(
            SERVICE.format(name="a", tenant="t", callee="b")
            + "---\n"
            + SERVICE.format(name="b", tenant="t", callee="a"),
            encoding="utf-8",
        )
        validate = [sys.executable, "-m", "runyard.cli.main", "validate", small]
        bare = [sys.executable, "-c", "import yaml"]
        compare(
            "start of validate beside import yaml",
            lambda: subprocess.run(validate, check=True, capture_output=True),
            lambda: subprocess.run(bare, check=True, capture_output=True),
            options.rounds,
        )
        Path(small).unlink()
        rounds = max(3, options.rounds // 3)
        title = f"{options.services} services"
        compare(f"{title}, read and checked", lambda: load([directory]), lambda: read_all(files), rounds)
        if importlib.util.find_spec("runyard.plan") is not None:
            compare(
                f"{title}, read, checked and planned",
                lambda: load_and_plan(directory),
                lambda: read_all(files),
                rounds,
            )


if __name__ == "__main__":
    main()
