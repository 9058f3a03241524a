"""What the orchestrator gives the gateway, over the real socket, so that callers are named and `.internal` has TLS."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import replace
from pathlib import Path

import jwt
import pytest

from runyard.gateway import Listener
from services.orchestrator.gateway.client import GatewayClient
from services.orchestrator.settings import Settings, parse_settings
from services.orchestrator.store.desired import DesiredStore
from services.orchestrator.store.documents import DocumentStore
from services.orchestrator.timing import Timing
from services.orchestrator.tls.tls import Surroundings, Tls, build_tls
from tests.harness.ports import free_ports
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway
from tests.unit.services.gateway.test_caller_identity import TOKEN, WEB, over_tls, serve, tell
from tests.unit.services.orchestrator.world import PUBLIC_KEY, STACK, ListJournal, document, sign


@pytest.fixture
def gateway(start_gateway: MakeGateway, instance: Instance) -> Gateway:
    edge, internal, tls = (f"127.0.0.1:{port}" for port in free_ports(3))
    listeners = (Listener("edge", edge), Listener("internal", internal), Listener("internal", tls, tls=True))
    gateway = start_gateway(listeners=listeners, caller_identity=True)
    serve(gateway, instance)
    return gateway


def settings_of(gateway: Gateway, directory: Path, said: str = "on") -> Settings:
    environment = {"RUNYARD_STACK": STACK, "RUNYARD_PUBLIC_KEY": PUBLIC_KEY, "RUNYARD_CALLER_IDENTITY": said}
    return replace(parse_settings(environment), directory=directory, gateway_directory=gateway.directory)


def build(settings: Settings) -> tuple[Tls, GatewayClient]:
    journal = ListJournal()
    documents = DocumentStore(settings.directory, STACK, settings.verifier, journal)
    documents.put([sign(document(callees=("cart",), gateway_address="10.130.1.1"))])
    client = GatewayClient(settings.gateway_socket, journal)
    store, timing = DesiredStore(settings.directory, journal), Timing(time.monotonic, asyncio.sleep)
    return build_tls(settings, Surroundings(store, documents, client, timing, journal)), client


async def run_until_covered(settings: Settings) -> str:
    """Run what keeps keys and certificates until both are there, and give the CA's certificate."""
    tls, client = build(settings)
    running = asyncio.create_task(tls.run())
    try:
        await tls.cover()
        while not await client.caller_keys():
            await asyncio.sleep(0)
        assert set(await client.certificates()) == {"cart.internal", "metadata.internal"}
    finally:
        running.cancel()
        await client.close()
    return tls.inner_authority()


def test_orchestrator_brings_keys_and_certificates_and_the_next_one_goes_on_with_them(
    gateway: Gateway, tmp_path: Path
) -> None:
    settings = settings_of(gateway, tmp_path / "orchestrator")
    authority = asyncio.run(run_until_covered(settings))
    context = ssl.create_default_context(cadata=authority)
    headers = dict(over_tls(gateway, context, "cart.internal", WEB).json()["headers"])
    keys = tell(gateway, "/.well-known/jwks.json", headers={}).json()
    token = jwt.decode(headers[TOKEN], jwt.PyJWKSet.from_dict(keys).keys[0], algorithms=["ES256"], audience="acme/cart")
    assert (token["iss"], token["sub"]) == (f"urn:runyard:stack:{STACK}", "acme/web")
    # Another orchestrator on the same volume.
    assert asyncio.run(run_until_covered(settings)) == authority
    assert tell(gateway, "/.well-known/jwks.json", headers={}).json() == keys


def test_authority_is_the_same_where_callers_are_no_longer_named_and_its_certificates_go(
    gateway: Gateway, tmp_path: Path
) -> None:
    directory = tmp_path / "orchestrator"
    authority = asyncio.run(run_until_covered(settings_of(gateway, directory)))

    async def clear() -> str:
        tls, client = build(settings_of(gateway, directory, "off"))
        running = asyncio.create_task(tls.run())
        try:
            while await client.certificates():
                await asyncio.sleep(0)
        finally:
            running.cancel()
            await client.close()
        return tls.inner_authority()

    assert asyncio.run(clear()) == authority
