"""Caller identity: the token that names who calls, and what `metadata.internal` tells an instance of itself."""

from __future__ import annotations

import json
import os
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest

from runyard.contracts import Fallback
from runyard.gateway import Listener
from services.orchestrator.tls.authority import create_authority
from services.orchestrator.tls.caller_keys import SHOWN_S, CallerKey, describe_keys, make_key
from tests.harness.client import Answer, answer_of, connect
from tests.harness.ports import free_ports
from tests.harness.waiting import PATIENCE_S
from tests.unit.services.gateway.conftest import MakeGateway
from tests.unit.services.gateway.instance import Instance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service

WEB, STOCK, OTHER, STRANGER = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.9"
CALLERS = {WEB: "acme/web", STOCK: "acme/stock", OTHER: "globex/web"}
TOKEN = "X-Runyard-Caller-Token"
GOOGLE = {"Metadata-Flavor": "Google"}
ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/"
IDENTITY = ACCOUNT + "identity"
METADATA = "metadata.internal"


@pytest.fixture
def key() -> CallerKey:
    return make_key(time.time())


def serve(gateway: Gateway, instance: Instance) -> None:
    gateway.push(
        services={
            "acme/web": service(("web-1", 100), uses=("cart", "stock")),
            "acme/cart": service(("cart-1", 100)),
            "acme/stock": service(("stock-1", 100)),
            "globex/web": service(("web-1", 100)),
        },
        hosts={"cart.localhost": "acme/cart"},
        endpoints={f"acme/{name}-1": endpoints(instance.port) for name in ("web", "cart", "stock")},
        callers=CALLERS,
    )


@pytest.fixture
def gateway(start_gateway: MakeGateway, instance: Instance, key: CallerKey) -> Gateway:
    gateway = start_gateway(caller_identity=True)
    serve(gateway, instance)
    put(gateway, key)
    return gateway


def put(gateway: Gateway, *keys: CallerKey) -> None:
    answer = gateway.admin("PUT", "/v1/caller-identity", describe_keys("dev", keys, time.time()))
    assert answer.status == 200, answer.body


def called(gateway: Gateway, host: str = "cart.internal", headers: Mapping[str, str] | None = None) -> dict[str, str]:
    answer = gateway.request(host=host, source=WEB, headers=headers)
    assert answer.status == 200, answer.body
    return dict(answer.json()["headers"])


def tell(gateway: Gateway, path: str, source: str = WEB, headers: Mapping[str, str] = GOOGLE) -> Answer:
    return gateway.request(path=path, host=METADATA, source=source, headers=headers)


def claims_of(gateway: Gateway, token: str, audience: str) -> dict[str, Any]:
    """Verify a token as a callee does, by the keys that it is told."""
    keys = jwt.PyJWKSet.from_json(tell(gateway, "/.well-known/jwks.json", headers={}).body.decode())
    found = keys[jwt.get_unverified_header(token)["kid"]]
    required = {"require": ["iss", "sub", "aud", "iat", "exp"]}
    claims: dict[str, Any] = jwt.decode(
        token, found, algorithms=["ES256"], audience=audience, issuer="urn:runyard:stack:dev", options=required
    )
    return claims


# The token that callees get.


def test_callee_is_told_who_calls_by_a_token_for_it_alone(gateway: Gateway) -> None:
    headers = called(gateway)
    assert headers["X-Runyard-Caller"] == "web"
    claims = claims_of(gateway, headers[TOKEN], "acme/cart")
    assert claims["sub"] == "acme/web"
    assert claims["exp"] - claims["iat"] == 300
    # Whoever got it can show it to nobody else.
    with pytest.raises(jwt.InvalidAudienceError):
        claims_of(gateway, headers[TOKEN], "acme/stock")
    assert claims_of(gateway, called(gateway, "stock.internal")[TOKEN], "acme/stock")["sub"] == "acme/web"


def test_token_is_signed_once_for_many_calls(gateway: Gateway) -> None:
    # Each worker signs its own.
    assert len({called(gateway)[TOKEN] for _ in range(30)}) <= 2


@pytest.mark.parametrize("name", [TOKEN, TOKEN.lower(), "X_Runyard_Caller_Token"])
def test_token_of_a_client_is_not_passed_on(gateway: Gateway, name: str) -> None:
    assert "forged" not in called(gateway, headers={name: "forged"}).values()
    sent = dict(gateway.request(host="cart.localhost", headers={name: "forged"}).json()["headers"])
    assert "forged" not in sent.values()
    assert TOKEN not in sent


def test_gateway_without_caller_identity_passes_no_token_on_and_has_no_metadata(
    start_gateway: MakeGateway, instance: Instance
) -> None:
    gateway = start_gateway()
    serve(gateway, instance)
    headers = called(gateway, headers={TOKEN: "forged"})
    assert (headers["X-Runyard-Caller"], TOKEN in headers) == ("web", False)
    assert tell(gateway, "/").kind == "undeclared-call"
    assert gateway.admin("GET", "/v1/caller-identity").status == 404


def test_fallback_gets_a_token_of_its_own(gateway: Gateway, instance: Instance) -> None:
    stopped = service(("cart-1", 100), stopped=True, fallback=Fallback(service="stock"))
    gateway.push(
        services={**gateway.snapshot.services, "acme/cart": stopped},
        endpoints={**gateway.snapshot.endpoints, "acme/cart-1": endpoints()},
    )
    assert claims_of(gateway, called(gateway)[TOKEN], "acme/stock")["sub"] == "acme/web"


def test_without_a_key_calls_go_on_without_a_token(
    start_gateway: MakeGateway, instance: Instance, key: CallerKey
) -> None:
    gateway = start_gateway(caller_identity=True)
    serve(gateway, instance)
    assert TOKEN not in called(gateway)
    assert [tell(gateway, path).status for path in ("/.well-known/jwks.json", f"{IDENTITY}?audience=x")] == [503, 503]


# Keys.


def test_rotation_shows_two_keys_and_tokens_of_both_are_good(gateway: Gateway, key: CallerKey) -> None:
    old = CallerKey(key.kid, time.time() - SHOWN_S, key.key)
    before = tell(gateway, f"{IDENTITY}?audience=x").body.decode()
    new = make_key(time.time())
    put(gateway, new, old)
    assert claims_of(gateway, before, "x")
    still = tell(gateway, f"{IDENTITY}?audience=x").body.decode()
    assert jwt.get_unverified_header(still)["kid"] == key.kid
    put(gateway, CallerKey(new.kid, time.time() - SHOWN_S, new.key), old)
    after = tell(gateway, f"{IDENTITY}?audience=x").body.decode()
    assert jwt.get_unverified_header(after)["kid"] == new.kid
    assert claims_of(gateway, after, "x")["sub"] == claims_of(gateway, before, "x")["sub"] == "acme/web"


def test_keys_outlive_a_restart_in_a_file_of_the_workers_alone(gateway: Gateway, key: CallerKey) -> None:
    gateway.keep()
    gateway.stop(kill=True)
    gateway.start()
    assert jwt.get_unverified_header(called(gateway)[TOKEN])["kid"] == key.kid
    assert stat.S_IMODE((gateway.state.parent / "caller-identity.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signing": {"kid": "x", "key": "nonsense"}, "keys": [{"kid": "x"}]}, "signing.key: "),
        ({"keys": []}, "keys: must have the one that signs"),
        ({"keys": [{"kid": "x", "d": "private"}]}, "keys: must be public keys"),
        ({"stack": 1}, "must be an object with stack, signing and keys"),
        ({"signing": None}, "must be an object with stack, signing and keys"),
    ],
)
def test_broken_keys_are_refused_and_change_nothing(
    gateway: Gateway, key: CallerKey, changes: dict[str, Any], reason: str
) -> None:
    sent = json.loads(describe_keys("dev", (key,), time.time())) | changes
    answer = gateway.admin("PUT", "/v1/caller-identity", json.dumps(sent))
    assert (answer.status, answer.kind) == (422, "caller-identity")
    assert answer.json()["detail"].startswith(reason)
    assert claims_of(gateway, tell(gateway, f"{IDENTITY}?audience=x").body.decode(), "x")
    assert "PRIVATE" not in gateway.errors()


# Metadata.


def test_who_asks_is_known_by_its_address_alone(gateway: Gateway) -> None:
    for source, subject in CALLERS.items():
        token = tell(gateway, f"{IDENTITY}?audience=https://example.com", source=source).body.decode()
        assert claims_of(gateway, token, "https://example.com")["sub"] == subject
    for name in ("X-Runyard-Caller", "X-Real-IP", "Forwarded"):
        token = tell(gateway, f"{IDENTITY}?audience=x", headers={**GOOGLE, name: "web"}, source=OTHER).body.decode()
        assert claims_of(gateway, token, "x")["sub"] == "globex/web"
    assert tell(gateway, f"{IDENTITY}?audience=x", source=STRANGER).kind == "unknown-caller"
    # Another's account is nobody's to ask for.
    path = "/computeMetadata/v1/instance/service-accounts/web@acme.internal/identity?audience=x"
    assert [tell(gateway, path, source).status for source in (WEB, OTHER, STOCK)] == [200, 404, 404]


def test_public_edge_tells_nothing(gateway: Gateway) -> None:
    answer = gateway.request(path=f"{IDENTITY}?audience=x", host=METADATA, headers=GOOGLE)
    assert (answer.status, answer.kind) == (404, "unknown-host")


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ({}, "must have the header Metadata-Flavor: Google"),
        ({"Metadata-Flavor": "google"}, "must have the header Metadata-Flavor: Google"),
        ({**GOOGLE, "X-Forwarded-For": "1.2.3.4"}, "must not be forwarded: it has the header X-Forwarded-For"),
        ({**GOOGLE, "X-Forwarded-For": ""}, "must not be forwarded: it has the header X-Forwarded-For"),
    ],
)
def test_what_an_instance_fetches_for_a_stranger_is_refused(
    gateway: Gateway, headers: dict[str, str], detail: str
) -> None:
    for path in ("/", f"{IDENTITY}?audience=x", "/computeMetadata/v1/project/project-id"):
        answer = tell(gateway, path, headers=headers)
        assert (answer.status, answer.kind) == (403, "metadata")
        assert answer.json()["detail"] == detail


def test_rebound_name_is_no_metadata_server(gateway: Gateway) -> None:
    for host in ("evil.example", "metadata.internal.evil.example", "metadata.google.internal"):
        answer = gateway.request(path=f"{IDENTITY}?audience=x", host=host, source=WEB, headers=GOOGLE)
        assert answer.status == 403, host


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("", "audience: must be one text of 1 to 1024 bytes"),
        ("?audience=", "audience: must be one text of 1 to 1024 bytes"),
        ("?audience", "audience: must be one text of 1 to 1024 bytes"),
        ("?audience=a&audience=b", "audience: must be one text of 1 to 1024 bytes"),
        (f"?audience={'a' * 1025}", "audience: must be one text of 1 to 1024 bytes"),
        ("?audience=a&format=jwt", "format: must be standard or full"),
        ("?audience=a&licenses=TRUE", "must have audience and format alone, got licenses"),
    ],
)
def test_token_that_cannot_be_is_refused_with_its_rule(gateway: Gateway, query: str, detail: str) -> None:
    answer = tell(gateway, IDENTITY + query)
    assert (answer.status, answer.json()["detail"]) == (400, detail)


def test_full_token_tells_more_of_the_caller(gateway: Gateway) -> None:
    standard = claims_of(gateway, tell(gateway, f"{IDENTITY}?audience=a%20%22b").body.decode(), 'a "b')
    full = claims_of(gateway, tell(gateway, f"{IDENTITY}?audience=x&format=full").body.decode(), "x")
    assert "runyard" not in standard
    assert full["runyard"] == {"stack": "dev", "tenant": "acme", "service": "web"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/", "computeMetadata/\n"),
        ("/computeMetadata/v1/", "instance/\nproject/\n"),
        ("/computeMetadata/v1/project/project-id", "acme"),
        ("/computeMetadata/v1/instance/region", "projects/acme/regions/dev"),
        ("/computeMetadata/v1/instance/service-accounts/", "default/\nweb@acme.internal/\n"),
        (ACCOUNT + "email", "web@acme.internal"),
        (ACCOUNT + "aliases", "default"),
        (ACCOUNT, "aliases\nemail\nidentity\nscopes\n"),
    ],
)
def test_instance_is_told_what_is_true_of_it(gateway: Gateway, path: str, body: str) -> None:
    answer = tell(gateway, path)
    assert (answer.status, answer.body.decode()) == (200, body)
    assert answer.headers["Metadata-Flavor"] == "Google"


@pytest.mark.parametrize("path", ["/computeMetadata/v1/instance/id", ACCOUNT + "token", "/computeMetadata/", "/x"])
def test_what_is_not_told_is_404(gateway: Gateway, path: str) -> None:
    answer = tell(gateway, path)
    assert (answer.status, answer.kind) == (404, "metadata")


def test_nothing_is_changed_there(gateway: Gateway) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = gateway.request(method, "/", host=METADATA, source=WEB, headers=GOOGLE, body=b"x" * 20_000)
        assert (answer.status, answer.kind) == (405, "metadata")


def test_requests_for_metadata_are_logged_as_the_callers(gateway: Gateway) -> None:
    tell(gateway, f"{IDENTITY}?audience=secret")
    (line,) = gateway.requests(1)
    assert (line["tenant"], line["caller"], line["service"], line["status"]) == ("acme", "web", "", 200)
    assert "secret" not in json.dumps(line)


def test_googles_own_library_gets_an_id_token(gateway: Gateway) -> None:
    place = f"127.0.0.1:{gateway.internal_port}"
    command = [sys.executable, "-m", "tests.unit.services.gateway.google_client", "https://cart.example", WEB]
    environment = {**os.environ, "GCE_METADATA_HOST": place, "GCE_METADATA_IP": place}
    environment.pop("GOOGLE_APPLICATION_CREDENTIALS", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    assert claims_of(gateway, done.stdout.strip(), "https://cart.example")["sub"] == "acme/web"


# TLS inside.


@pytest.fixture
def secure(start_gateway: MakeGateway, instance: Instance, key: CallerKey) -> Gateway:
    edge, internal, tls = (f"127.0.0.1:{port}" for port in free_ports(3))
    listeners = (Listener("edge", edge), Listener("internal", internal), Listener("internal", tls, tls=True))
    gateway = start_gateway(listeners=listeners, caller_identity=True, hsts_s=60)
    serve(gateway, instance)
    put(gateway, key)
    return gateway


@pytest.fixture
def context(secure: Gateway) -> ssl.SSLContext:
    now = time.time()
    authority = create_authority("internal", "dev", now)
    public = create_authority("localhost", "dev", now).issue("hello.localhost", now)
    assert secure.admin("PUT", "/v1/certificates/hello.localhost", public.message()).status == 200
    for host in ("cart.internal", "stock.internal"):
        pair = authority.issue(host, now)
        assert secure.admin("PUT", f"/v1/certificates/{host}", pair.message()).status == 200
    return ssl.create_default_context(cadata=authority.pair.chain)


def over_tls(gateway: Gateway, context: ssl.SSLContext, named: str, source: str, host: str = "") -> Answer:
    with connect(gateway.tls_port, source) as connection:
        connection.connect()
        connection.sock = context.wrap_socket(connection.sock, server_hostname=named)
        connection.request("GET", "/", headers={"Host": host or named})
        return answer_of(connection.getresponse())


def test_callee_answers_over_tls_and_is_told_who_calls(secure: Gateway, context: ssl.SSLContext) -> None:
    answer = over_tls(secure, context, "cart.internal", WEB)
    headers = dict(answer.json()["headers"])
    assert claims_of(secure, headers[TOKEN], "acme/cart")["sub"] == "acme/web"
    assert (headers["X-Forwarded-Proto"], headers["X-Runyard-Caller"]) == ("https", "web")
    # Which would be for the host's other ports, too.
    assert "Strict-Transport-Security" not in answer.headers


def test_tls_opens_no_way_that_is_closed_without(secure: Gateway, context: ssl.SSLContext) -> None:
    assert over_tls(secure, context, "cart.internal", OTHER).kind == "undeclared-call"
    assert over_tls(secure, context, "cart.internal", STRANGER).kind == "unknown-caller"
    assert over_tls(secure, context, "cart.internal", WEB, host="cart.localhost").kind == "public-host"
    # Nor does it show certificates of public hosts, or for no host.
    for name in ("hello.localhost", "nobody.internal"):
        with pytest.raises(ssl.SSLError, match="ALERT"):
            over_tls(secure, context, name, WEB)
    # One connection may be for several of its instance's callees.
    assert over_tls(secure, context, "cart.internal", WEB, host="stock.internal").status == 200
