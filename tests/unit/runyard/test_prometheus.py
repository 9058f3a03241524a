"""Prometheus' configuration and rules: what is scraped, and that a rule reads what the meter and the gateway tell."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from runyard.prometheus import INTERVAL_S, LEVELS, render_configuration, render_rules

TARGETS = (("meter", "127.0.0.1:3005"), ("prometheus", "127.0.0.1:9090"))
# Words of the query language that a rule may use.
LANGUAGE = {"sum", "by", "rate", "histogram_quantile", "or", "le", "tenant", "service", "revision", "code"}
# Families that are told under this name, and as parts of histograms.
TOLD = {
    "runyard_requests_total", "runyard_request_duration_seconds_bucket", "runyard_gateway_cold_start_seconds_bucket",
    "runyard_container_cpu_seconds_total", "runyard_container_cpu_limit_cores",
    "runyard_container_memory_working_set_bytes", "runyard_container_memory_limit_bytes",
    "runyard_revision_ready_instances", "runyard_revision_desired_instances",
}  # fmt: skip


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(render_rules())["groups"] for rule in group["rules"]]


def names_in(expression: str) -> set[str]:
    """Give what an expression reads: its metrics, without what stands in quotes, braces or brackets."""
    text = re.sub(r'\{[^}]*\}|\[[^\]]*\]|"[^"]*"', "", expression)
    return {each for each in re.findall(r"[a-z_][a-z0-9_:]*", text) if each not in LANGUAGE}


def test_every_target_is_a_job_of_its_own_with_its_address() -> None:
    config = yaml.safe_load(render_configuration("dev", TARGETS))
    found = [(each["job_name"], each["static_configs"][0]["targets"]) for each in config["scrape_configs"]]
    assert found == [("meter", ["127.0.0.1:3005"]), ("prometheus", ["127.0.0.1:9090"])]
    assert all(each["honor_labels"] for each in config["scrape_configs"])


def test_samples_say_of_which_stack_they_are_and_come_as_often_as_rules_need() -> None:
    settings = yaml.safe_load(render_configuration("dev", TARGETS))["global"]
    assert settings["external_labels"] == {"stack": "dev"}
    assert settings["scrape_interval"] == settings["evaluation_interval"] == f"{INTERVAL_S}s"
    windows = [int(each) for rule in rules() for each in re.findall(r"\[(\d+)m\]", rule["expr"])]
    # A rate needs two samples, and one of them may be late.
    assert min(windows) * 60 >= 4 * INTERVAL_S


def test_equal_stacks_have_equal_texts() -> None:
    assert render_configuration("dev", TARGETS) == render_configuration("dev", iter(TARGETS))
    assert render_rules() == render_rules()


@pytest.mark.parametrize("text", ['a"b', "a\nb: c", "a: {b}", "${X}", "{{ x }}"])
def test_text_that_means_something_to_yaml_stays_a_text(text: str) -> None:
    config = yaml.safe_load(render_configuration(text, [(text, text)]))
    assert config["global"]["external_labels"]["stack"] == text
    (job,) = config["scrape_configs"]
    assert (job["job_name"], job["static_configs"]) == (text, [{"targets": [text]}])


def test_rules_have_names_of_the_form_level_metric_operations_each_once() -> None:
    names = [each["record"] for each in rules()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"(service|revision):runyard_[a-z_]+:[a-z0-9_]+", each) for each in names)


def test_golden_signals_are_told_by_service_and_by_revision() -> None:
    names = {each["record"] for each in rules()}
    for level, _ in LEVELS:
        assert {
            f"{level}:runyard_requests:rate1m",
            f"{level}:runyard_errors:ratio_rate1m",
            f"{level}:runyard_request_duration_seconds:p95_5m",
            f"{level}:runyard_cpu:utilization",
            f"{level}:runyard_memory:utilization",
        } <= names
    assert "service:runyard_cold_start_seconds:p95_1h" in names


@pytest.mark.parametrize("rule", rules(), ids=lambda each: each["record"])
def test_rule_reads_what_is_told_or_what_a_rule_before_it_made(rule: dict[str, Any]) -> None:
    ordered = [each["record"] for each in rules()]
    before = set(ordered[: ordered.index(rule["record"])])
    read = names_in(rule["expr"])
    assert read
    assert read <= TOLD | before


@pytest.mark.parametrize(("level", "labels"), LEVELS)
def test_rules_of_a_level_keep_its_labels_and_no_others(level: str, labels: str) -> None:
    own = [each for each in rules() if each["record"].startswith(f"{level}:") and "cold_start" not in each["record"]]
    kept = {found for each in own for found in re.findall(r"by \(([^)]*)\)", each["expr"])}
    assert kept <= {labels, f"{labels}, le"}


def test_requests_for_nobody_are_of_no_service() -> None:
    for each in rules():
        for selector in re.findall(r"runyard_request[a-z_]*\{([^}]*)\}", each["expr"]):
            assert 'service!=""' in selector
