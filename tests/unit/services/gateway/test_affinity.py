"""Session affinity: a client stays on its revision and instance while they have a place."""

from __future__ import annotations

from runyard.contracts import GatewayService
from tests.harness.client import Answer
from tests.harness.waiting import until
from tests.unit.services.gateway.conftest import MakeGateway, MakeInstance
from tests.unit.services.gateway.nginx import Gateway, endpoints, service, settled

HOSTS = {"web.localhost": "default/web", "cart.localhost": "default/cart"}


def sticky(*traffic: tuple[str, int] | tuple[str, int, str]) -> GatewayService:
    return service(*traffic, session_affinity=True)


def push(gateway: Gateway, *traffic: tuple[str, int] | tuple[str, int, str], **ports: tuple[int, ...]) -> None:
    """Put the service web in force; `ports` are those of each revision."""
    places = {f"default/{name}": endpoints(*each) for name, each in ports.items()}
    gateway.push(services={"default/web": sticky(*traffic)}, hosts=HOSTS, endpoints=places)


def cookie_of(answer: Answer) -> str:
    return answer.headers["Set-Cookie"].partition(";")[0]


def names(gateway: Gateway, cookie: str, count: int = 20, host: str = "web.localhost") -> set[str]:
    headers = {"Cookie": f"theme=dark; {cookie}"}
    return {gateway.request(host=host, headers=headers).json()["name"] for _ in range(count)}


def test_cookie_keeps_a_client_on_its_instance(gateway: Gateway, make_instance: MakeInstance) -> None:
    push(gateway, ("a", 100), a=tuple(make_instance(name).port for name in "12345"))
    for _ in range(4):
        first = gateway.request(host="web.localhost")
        assert names(gateway, cookie_of(first)) == {first.json()["name"]}


def test_cookie_is_closed_to_scripts_and_other_sites_and_tells_no_address(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    port = make_instance().port
    push(gateway, ("a", 100), a=(port,))
    name, _, rest = gateway.request(host="web.localhost").headers["Set-Cookie"].partition("=")
    value, _, attributes = rest.partition("; ")
    assert (name, attributes) == ("runyard_session", "Path=/; HttpOnly; SameSite=Lax")
    assert len(value) == 27
    assert str(port) not in value


def test_client_with_a_cookie_is_told_no_other(gateway: Gateway, make_instance: MakeInstance) -> None:
    push(gateway, ("a", 100), a=(make_instance().port,))
    cookie = cookie_of(gateway.request(host="web.localhost"))
    assert "Set-Cookie" not in gateway.request(host="web.localhost", headers={"Cookie": cookie}).headers


def test_cookie_keeps_a_client_on_its_revision_while_that_has_a_share(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    ports = {"a": (make_instance("old").port,), "b": (make_instance("new").port,)}
    push(gateway, ("a", 100), **ports)
    cookie = cookie_of(gateway.request(host="web.localhost"))
    push(gateway, ("a", 1), ("b", 99), **ports)
    assert names(gateway, cookie) == {"old"}
    push(gateway, ("b", 100), ("a", 0, "v1"), **ports)
    moved = gateway.request(host="web.localhost", headers={"Cookie": cookie})
    assert moved.json()["name"] == "new"
    assert cookie_of(moved) != cookie


def test_tagged_host_goes_to_its_revision_whatever_the_cookie_says(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    push(gateway, ("a", 100), ("b", 0, "v2"), a=(make_instance("old").port,), b=(make_instance("new").port,))
    cookie = cookie_of(gateway.request(host="web.localhost"))
    assert names(gateway, cookie, 5, "v2---web.localhost") == {"new"}


def test_client_whose_instance_is_gone_gets_another_and_keeps_that(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    ports = {name: make_instance(name).port for name in "123"}
    push(gateway, ("a", 100), a=tuple(ports.values()))
    first = gateway.request(host="web.localhost")
    left = tuple(port for name, port in ports.items() if name != first.json()["name"])
    push(gateway, ("a", 100), a=left)
    second = gateway.request(host="web.localhost", headers={"Cookie": cookie_of(first)})
    assert second.status == 200
    assert names(gateway, cookie_of(second)) == {second.json()["name"]}


def test_client_of_a_full_instance_is_served_by_another_and_comes_back(
    gateway: Gateway, make_instance: MakeInstance
) -> None:
    instances = {name: make_instance(name) for name in "12"}
    ports = [each.port for each in instances.values()]
    gateway.push(
        services={"default/web": sticky(("a", 100))},
        hosts=HOSTS,
        endpoints={"default/a": endpoints(*ports, concurrency=1)},
    )
    first = gateway.request(host="web.localhost")
    mine, headers = instances[first.json()["name"]], {"Host": "web.localhost", "Cookie": cookie_of(first)}
    # The gateway gives a count back after its client has the whole answer.
    settled(gateway)
    with gateway.connect() as busy:
        busy.request("GET", "/wait", headers=headers)
        until(lambda: mine.waiting == 1, "the instance is full")
        meanwhile = gateway.request(headers=headers, host="web.localhost")
        assert meanwhile.json()["name"] != mine.name
        assert "Set-Cookie" not in meanwhile.headers
        mine.release()
        busy.getresponse().read()
    settled(gateway)
    assert gateway.request(headers=headers, host="web.localhost").json()["name"] == mine.name


def test_forged_cookie_and_that_of_another_service_count_as_none(gateway: Gateway, make_instance: MakeInstance) -> None:
    ports = tuple(make_instance(name).port for name in "1234")
    gateway.push(
        services={"default/web": sticky(("a", 100)), "default/cart": sticky(("a", 100))},
        hosts=HOSTS,
        endpoints={"default/a": endpoints(*ports)},
    )
    of_cart = cookie_of(gateway.request(host="cart.localhost"))
    for cookie in (of_cart, "runyard_session=", "runyard_session=" + "A" * 27, "runyard_session=%00'\\"):
        assert len(names(gateway, cookie, 40)) > 1
        assert "Set-Cookie" in gateway.request(host="web.localhost", headers={"Cookie": cookie}).headers


def test_service_without_affinity_sets_no_cookie_and_heeds_none(gateway: Gateway, make_instance: MakeInstance) -> None:
    ports = tuple(make_instance(name).port for name in "1234")
    push(gateway, ("a", 100), a=ports)
    cookie = cookie_of(gateway.request(host="web.localhost"))
    gateway.push(services={"default/web": service(("a", 100))})
    assert "Set-Cookie" not in gateway.request(host="web.localhost").headers
    assert len(names(gateway, cookie, 40)) > 1


def test_cookie_outlives_a_restart_of_the_gateway(start_gateway: MakeGateway, make_instance: MakeInstance) -> None:
    gateway = start_gateway()
    push(gateway, ("a", 100), a=tuple(make_instance(name).port for name in "12345"))
    first = gateway.request(host="web.localhost")
    gateway.stop()
    gateway.start()
    assert names(gateway, cookie_of(first)) == {first.json()["name"]}
    key = gateway.directory / "state" / "affinity.key"
    assert key.stat().st_mode & 0o777 == 0o600
