"""Command `cost`: forms, usage file, day and exit codes, on the real examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runyard.cli.main import main
from runyard.contracts import Measure, Measures, encode
from tests.unit.runyard.host.docker_api import DockerApi

ROOT = Path(__file__).parents[4]
SHOP = str(ROOT / "manifests" / "shop")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["cost", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_cost_of_the_shop_is_shown_by_service(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, SHOP, "--date", "2026-11-23")
    assert code == 0
    assert "  shop/web    22.66     22.71   7,346.45  size small" in out.splitlines()


def test_cost_takes_a_usage_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    usage = tmp_path / "usage.yaml"
    usage.write_text("services: {shop/web: large}\n")
    _, small, _ = run(capsys, SHOP, "-o", "json")
    code, large, _ = run(capsys, SHOP, "-o", "json", "--usage", str(usage))
    assert code == 0
    before, after = (float(json.loads(each)["total"]["expected"]) for each in (small, large))
    assert after > before
    assert "Expected, size large" in "\n".join(json.loads(large)["basis"])


def test_cost_tells_of_a_discount_that_nobody_gets(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    book = tmp_path / "prices.yaml"
    book.write_text(
        "apiVersion: runyard.dev/v1\nkind: PriceBook\n"
        'spec: {periods: [{from: "2026-01-01"}], discounts: [{tenant: shpo, percent: 10}]}\n'
    )
    code, _, err = run(capsys, SHOP, str(book), "--date", "2026-11-23")
    assert (code, err) == (
        0,
        f"{book}:3:54: warning: spec.discounts[0].tenant: names no tenant of these manifests, "
        'got "shpo" (did you mean shop?)\n',
    )


def test_cost_as_markdown_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, SHOP, "-o", "markdown")[1].startswith("| service | floor |")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--date", "soon"], "error: --date: must be a day such as 2026-01-31, got 'soon'"),
        (["--usage", "absent.yaml"], "cannot be read: no such file or directory"),
        (["--date", "2020-01-01"], "error: price book cloud-run-tier-1: must have prices for 2020-01-01, got none"),
    ],
)
def test_cost_refuses_what_cannot_be_used(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    code, out, err = run(capsys, SHOP, *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_cost_goes_by_a_file_or_a_ledger(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    usage = tmp_path / "usage.yaml"
    usage.write_text("{}\n")
    code, _, err = run(capsys, SHOP, "--usage", str(usage), "--stack", "dev")
    assert (code, err) == (2, "error: cost: must be given one of --usage and --stack, got both\n")


def test_cost_of_a_stack_is_that_of_what_its_ledger_metered(
    capsys: pytest.CaptureFixture[str], docker_api: DockerApi
) -> None:
    week = Measure("shop", "cart", 7 * 86400, 1000, 60_000, 600_000, 0, 100, 64 * 1024**2)
    docker_api.output = encode(Measures((week,))).encode()
    code, out, _ = run(capsys, SHOP, "--date", "2026-11-23", "--stack", "prod")
    assert code == 0
    assert docker_api.commands[0][-2:] == ["GET", "/v1/measures"]
    (cart,) = [line for line in out.splitlines() if line.startswith("  shop/cart") and "metered" in line]
    assert cart.endswith("metered, last 7 days")
    assert "CPU of busy minutes at their 95th percentile" in out
    told = json.loads(run(capsys, SHOP, "-o", "json", "--stack", "prod")[1])
    assert [(each["service"], each["idle_percent"]) for each in told["sizing"]] == [("cart", 90)]
    assert "sizing" not in json.loads(run(capsys, SHOP, "-o", "json")[1])
