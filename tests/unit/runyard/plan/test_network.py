import ipaddress

import pytest

from runyard.errors import ManifestError
from runyard.manifest.model import Location, Platform, Tenant
from runyard.plan.network import derive_subnet, plan_networks
from tests.unit.runyard.plan.example import manifests, service


def test_networks_are_the_platforms_then_each_tenants():
    planned = plan_networks("dev", manifests(service(tenant="acme")))
    assert [(each.name, each.tenant) for each in planned] == [
        ("runyard.dev.platform", None),
        ("runyard.dev.tenant.acme", "acme"),
        ("runyard.dev.tenant.default", "default"),
    ]


def test_networks_isolate_containers_and_have_the_hosts_address_first():
    for network in plan_networks("dev", manifests()):
        assert network.isolated
        assert ipaddress.ip_address(network.host_address) == ipaddress.ip_network(network.subnet)[1]


def test_network_without_a_way_out_is_planned_only_where_a_service_asks():
    assert not any(each.internal for each in plan_networks("dev", manifests(service())))
    internal = [each for each in plan_networks("dev", manifests(service(egress="none"))) if each.internal]
    assert [each.name for each in internal] == ["runyard.dev.tenant.default.internal"]


def test_subnet_of_a_tenant_stays_when_others_come_and_go():
    def subnet_of(name, *others):
        tenants = tuple(Tenant(each) for each in sorted((name, *others)))
        planned = plan_networks("dev", manifests(tenants=tenants))
        return next(each.subnet for each in planned if each.tenant == name)

    assert subnet_of("acme") == subnet_of("acme", "aaa", "zzz")


def test_subnet_differs_between_stacks_on_one_host():
    pool = ipaddress.IPv4Network("10.128.0.0/9")
    assert derive_subnet(pool, "runyard.dev.platform") != derive_subnet(pool, "runyard.test.platform")


@pytest.mark.parametrize("pool", ["10.128.0.0/9", "192.168.0.0/16", "172.20.0.0/22", "10.9.9.0/24"])
def test_subnet_lies_in_the_pool(pool):
    subnet = derive_subnet(ipaddress.IPv4Network(pool), "runyard.dev.platform")
    assert subnet.subnet_of(ipaddress.IPv4Network(pool))


def test_subnet_that_a_tenant_names_is_kept():
    planned = plan_networks("dev", manifests(tenants=(Tenant("acme", subnet="10.9.0.0/24"),)))
    assert [each.subnet for each in planned if each.tenant == "acme"] == ["10.9.0.0/24"]


def test_overlapping_subnets_are_an_error_that_names_both_and_the_fix():
    tenants = (
        Tenant("acme", subnet="10.9.0.0/22", location=Location("m.yaml", 3, 1)),
        Tenant("bolt", subnet="10.9.1.0/24", location=Location("m.yaml", 9, 1)),
    )
    with pytest.raises(ManifestError) as caught:
        plan_networks("dev", manifests(tenants=tenants))
    assert str(caught.value) == (
        "m.yaml:9:1: spec.subnet: must not overlap: runyard.dev.tenant.bolt has 10.9.1.0/24, "
        "runyard.dev.tenant.acme has 10.9.0.0/22 (set spec.subnet of one of the tenants)"
    )


def test_pool_too_small_for_two_networks_is_an_error():
    with pytest.raises(ManifestError, match="must not overlap"):
        plan_networks("dev", manifests(platform=Platform(address_pool="10.9.9.0/24")))
