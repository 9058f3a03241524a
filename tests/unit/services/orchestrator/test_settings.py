from __future__ import annotations

from pathlib import Path

import pytest

from runyard.contracts import TlsSettings, encode
from runyard.errors import ContractError, UsageError
from runyard.gateway import GatewayConfig
from runyard.names import GATEWAY_ADMIN_SOCKET, LAUNCHER_DIRECTORY, ORCHESTRATOR_SOCKET, REGISTRY_SOCKET
from services.orchestrator.settings import Settings
from services.orchestrator.settings import parse_settings as parse

from .world import PUBLIC_KEY


def parse_settings(environment: dict[str, str]) -> Settings:
    return parse({"RUNYARD_PUBLIC_KEY": PUBLIC_KEY, **environment})


def test_defaults_are_the_names_that_all_parts_share() -> None:
    settings = parse_settings({"RUNYARD_STACK": "dev"})
    assert (settings.stack, settings.host, settings.port) == ("dev", "127.0.0.1", 3001)
    assert str(settings.socket) == ORCHESTRATOR_SOCKET
    assert str(settings.gateway_socket) == GATEWAY_ADMIN_SOCKET
    assert str(settings.launcher_directory) == LAUNCHER_DIRECTORY
    assert str(settings.registry_socket) == REGISTRY_SOCKET
    assert str(settings.gateway_snapshot) == GatewayConfig().state_file


def test_environment_overrides_everything() -> None:
    settings = parse_settings(
        {
            "RUNYARD_STACK": "dev",
            "RUNYARD_HTTP_ADDRESS": "[::1]:99",
            "RUNYARD_ORCHESTRATOR_DIRECTORY": "/o",
            "RUNYARD_GATEWAY_DIRECTORY": "/g",
            "RUNYARD_LAUNCHER_DIRECTORY": "/l",
            "RUNYARD_REGISTRY_DIRECTORY": "/r",
        }
    )
    assert (settings.host, settings.port) == ("::1", 99)
    assert (settings.directory, settings.gateway_directory) == (Path("/o"), Path("/g"))
    assert settings.launcher_directory == Path("/l")


def test_parts_of_the_platform_are_told_with_our_own_among_them() -> None:
    said = {"RUNYARD_STACK": "dev", "RUNYARD_PART": "standby", "RUNYARD_PARTS": "gateway,standby"}
    assert (parse_settings(said).part, parse_settings(said).parts) == ("standby", ("gateway", "standby"))
    assert (parse_settings({"RUNYARD_STACK": "dev"}).part, parse_settings({"RUNYARD_STACK": "dev"}).parts) == ("", ())


def test_engine_is_where_the_filter_offers_it_or_where_it_usually_is() -> None:
    assert parse_settings({"RUNYARD_STACK": "dev", "RUNYARD_ENGINE": "/engine.sock"}).engine == "/engine.sock"
    assert parse_settings({"RUNYARD_STACK": "dev"}).engine == ""


@pytest.mark.parametrize("stack", ["", "Dev", "a.b", "-a"])
def test_stack_that_is_no_label_is_refused(stack: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings({"RUNYARD_STACK": stack})
    assert str(caught.value) == f"RUNYARD_STACK: must be a DNS label, got {stack!r}"


@pytest.mark.parametrize("address", ["3001", ":3001", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000"])
def test_address_that_nobody_can_listen_on_is_refused(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings({"RUNYARD_STACK": "dev", "RUNYARD_HTTP_ADDRESS": address})
    assert str(caught.value) == f"RUNYARD_HTTP_ADDRESS: must be ADDRESS:PORT, got {address!r}"


def test_tls_is_none_unless_it_is_said() -> None:
    assert parse_settings({"RUNYARD_STACK": "dev"}).tls == TlsSettings()
    said = TlsSettings("acme", "example.com", "https://acme.example/dir", ("a@b.c",), "PEM")
    assert parse_settings({"RUNYARD_STACK": "dev", "RUNYARD_TLS": encode(said)}).tls == said


@pytest.mark.parametrize("text", ["", "[]", '{"mode": "off"}', '{"more": 1}'])
def test_tls_that_is_no_such_message_is_refused(text: str) -> None:
    with pytest.raises(ContractError, match=r"^decode TlsSettings"):
        parse_settings({"RUNYARD_STACK": "dev", "RUNYARD_TLS": text})


@pytest.mark.parametrize("key", ["", "AAAA", "not base64", PUBLIC_KEY[:-4]])
def test_public_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_settings({"RUNYARD_STACK": "dev", "RUNYARD_PUBLIC_KEY": key})
    assert str(caught.value) == f"RUNYARD_PUBLIC_KEY: must be the base64 of 32 bytes, got {key!r}"
