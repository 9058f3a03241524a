"""The description of the API: of every operation, complete, and true to the codec."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from aiohttp.test_utils import TestClient, TestServer

from runyard.contracts import OrchestratorStatus, ServiceRequest, decode, encode
from services.orchestrator.api.openapi import EVERYWHERE, PROBLEM, describe
from services.orchestrator.api.operations import OPERATIONS, Operation
from services.orchestrator.api.problem import STATUSES, problem

from ..world import World

by_name = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
DESCRIBED = describe(OPERATIONS)


def described(operation: Operation) -> dict[str, Any]:
    return dict(DESCRIBED["paths"][operation.path][operation.method.lower()])


def check(value: Any, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator({**schema, "components": DESCRIBED["components"]}).validate(value)


@by_name
def test_operation_says_what_it_does_with_an_example_and_its_errors(operation: Operation) -> None:
    found = described(operation)
    assert operation.summary.endswith(".")
    assert (found["summary"], found["operationId"]) == (operation.summary, operation.name)
    assert operation.errors
    problems = {int(status) for status in found["responses"]} - {operation.status}
    assert problems == {*operation.errors, *EVERYWHERE}
    assert all(found["responses"][str(each)]["description"] for each in problems)
    (content,) = found["responses"][str(operation.status)]["content"].values()
    assert content["example"]
    check(content["example"], content["schema"])
    assert ("requestBody" in found) == (operation.method == "PUT")


@by_name
def test_examples_are_read_back_as_the_messages_that_they_are(operation: Operation) -> None:
    for example in (operation.answer, operation.body):
        if dataclasses.is_dataclass(example) and not isinstance(example, type):
            assert decode(type(example), encode(example)) == example


@by_name
def test_only_reading_operations_are_public(operation: Operation) -> None:
    assert operation.method == "GET" or not operation.public


def test_operations_have_names_and_places_of_their_own() -> None:
    assert len({each.name for each in OPERATIONS}) == len(OPERATIONS)
    assert len({(each.method, each.path) for each in OPERATIONS}) == len(OPERATIONS)


def test_every_status_of_our_errors_is_among_those_described() -> None:
    told = {*EVERYWHERE, *(status for each in OPERATIONS for status in each.errors)}
    # A deadline ends none of the requests, only what a rollback waits for, which is a failed rollout.
    assert {status for _, status, _ in STATUSES} - told == {504}


def test_schema_takes_what_the_codec_takes_and_refuses_what_it_refuses() -> None:
    schemas = DESCRIBED["components"]["schemas"]
    check(json.loads(encode(OrchestratorStatus(1, True))), schemas["OrchestratorStatus"])
    for broken in ({"generation": "1", "in_step": True}, {"in_step": True}, {"generation": 1, "in_step": True, "x": 1}):
        with pytest.raises(jsonschema.ValidationError):
            check(broken, schemas["OrchestratorStatus"])
    assert schemas["ServiceRequest"]["required"] == ["route", "rollout", "revisions"]
    assert schemas["ServiceRequest"]["properties"]["values"]["additionalProperties"] == {"type": "string"}
    assert set(schemas["ServiceRequest"]["properties"]) == {each.name for each in dataclasses.fields(ServiceRequest)}


def test_problem_is_as_described() -> None:
    answer = problem(400, "request refused", "scale a/b: no", ("line",))
    assert answer.content_type == PROBLEM
    check(json.loads(answer.text or ""), DESCRIBED["components"]["schemas"]["Problem"])


def test_each_place_describes_what_it_answers(tmp_path: Path) -> None:
    async def whole() -> None:
        async with World(tmp_path) as world:
            for app, operations in (
                (world.api.control_app(), OPERATIONS),
                (world.api.reading_app(), tuple(each for each in OPERATIONS if each.public)),
            ):
                async with TestClient(TestServer(app)) as client:
                    told = await (await client.get("/v1/openapi.json")).json()
                    assert told == json.loads(json.dumps(describe(operations)))
                    there = {
                        (route.method, resource.canonical)
                        for resource in app.router.resources()
                        for route in resource
                        if route.method != "HEAD"
                    }
                    assert there == {(each.method, each.path) for each in operations}

    asyncio.run(whole())
