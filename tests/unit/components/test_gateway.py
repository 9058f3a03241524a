"""The texts of a Platform's `spec.gateway` on their way from a manifest to nginx.conf."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from components.gateway import plan_configuration
from runyard.errors import ManifestError, UsageError
from runyard.gateway import GatewayConfig, render
from runyard.manifest import load
from runyard.manifest.model import Platform
from runyard.manifest.reference import list_fields
from runyard.names import GATEWAY_CACHE_DIRECTORY
from runyard.plan.parts import plan_parts
from runyard.units import parse_bytes
from tests.unit.runyard.rendered import hostile_text, parse, walk

INNER_ADDRESS = "172.30.0.1"
ADDRESS = "192.0.2.7"
PEM = "-----BEGIN CERTIFICATE-----"
ACME = "{address: 192.0.2.7, tls: {mode: acme, acme: {directory: %s}}}"
# Each text that spec.gateway may hold: where it stands, and values that are taken.
TEXTS = {
    "address": ("{address: %s}", (ADDRESS, "0.0.0.0", "10.1.2.3")),
    "defaultBackend": ("{address: 192.0.2.7, defaultBackend: %s}", ("hello", "default/hello")),
    "maxBodySize": ("{address: 192.0.2.7, maxBodySize: %s}", ("1Mi", "32", "1.5k")),
    "tls.mode": ("{address: 192.0.2.7, tls: {mode: %s}}", ("none", "local", "files")),
    "tls.acme.directory": (ACME, ("https://ca.example.com/d",)),
    "tls.acme.contacts[]": (ACME % "https://ca.example.com/d, contacts: [%s]", ("a@example.com",)),
    "tls.acme.caBundle": (ACME % "https://ca.example.com/d, caBundle: %s", (PEM,)),
}
PLATFORM = "apiVersion: runyard.dev/v1\nkind: Platform\nspec: {gateway: %s}\n"
HELLO = """---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: hello}
spec: {template: {spec: {containers: [{image: "hello:1"}]}}}
"""
Directives = list[tuple[str, list[str]]]


def quoted(text: str) -> str:
    """Write a text in YAML so that every character of it reaches the rules."""
    plain = (each if each.isascii() and each.isalnum() else f"\\U{ord(each):08x}" for each in text)
    return f'"{"".join(plain)}"'


# Without a representation, for Hypothesis prints what a test is given, and in here are thousands of directives.
@dataclass(repr=False)
class Way:
    """The way from a manifest to directives, which remembers the directives of each configuration."""

    directory: Path
    known: dict[GatewayConfig, Directives] = field(default_factory=dict)
    harmless: dict[tuple[str, str], Directives] = field(default_factory=dict)

    def platform(self, name: str, value: str) -> Platform:
        file = self.directory / "platform.yaml"
        text = PLATFORM % (TEXTS[name][0] % quoted(value))
        # Opened without emptying it first, for which many file systems wait for the disk.
        with file.open("r+" if file.exists() else "w") as opened:
            opened.write(text + HELLO if name == "defaultBackend" else text)
            opened.truncate()
        return load([file]).manifests.platform

    def directives(self, platform: Platform) -> Directives:
        config = plan_configuration(platform, plan_parts(platform, "dev", INNER_ADDRESS)[0])
        if config not in self.known:
            found = walk(parse(render(config), self.directory))
            # The digest is of the values, and a hash: it says nothing of theirs.
            self.known[config] = [
                (path, [re.sub('"[0-9a-f]{16}"', '"digest"', arg) for arg in args]) for path, args in found
            ]
        return self.known[config]

    def expected(self, name: str, value: str) -> Directives:
        """Give the directives of a harmless manifest of the same kind, with this value in the one place that is its."""
        harmless = TEXTS[name][1][0]
        if name == "tls.mode":
            assert value in TEXTS[name][1]
            harmless = value
        elif name == "maxBodySize":
            # It becomes a number, which also decides over directives of its own.
            harmless = str(parse_bytes(value))
        if (name, harmless) not in self.harmless:
            self.harmless[name, harmless] = self.directives(self.platform(name, harmless))
        return [self._put(name, value, *each) for each in self.harmless[name, harmless]]

    def _put(self, name: str, value: str, path: str, args: list[str]) -> tuple[str, list[str]]:
        if name == "address" and path == "/http/server/listen":
            return path, [re.sub(rf"^{ADDRESS}(?=:\d+$)", lambda _: value, args[0]), *args[1:]]
        return path, args


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Way:
    return Way(tmp_path_factory.mktemp("way"))


def assert_harmless(way: Way, name: str, value: str) -> bool:
    """Assert that the manifest is refused, or says what it should and no more; tell whether it was taken."""
    try:
        found = way.directives(way.platform(name, value))
    except (ManifestError, UsageError):
        return False
    assert found == way.expected(name, value), value
    return True


def test_every_text_of_the_gateway_is_tried() -> None:
    fields = {path.removeprefix("spec.gateway."): node for path, node in list_fields("platform") if "gateway." in path}
    texts = {path for path, node in fields.items() if "string" in node["type"]}
    lists = {f"{path}[]" for path, node in fields.items() if "string" in node.get("items", {}).get("type", "")}
    assert set(TEXTS) == texts | lists


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_are_taken_stand_where_they_belong(way: Way, name: str) -> None:
    assert [assert_harmless(way, name, value) for value in TEXTS[name][1]] == [True] * len(TEXTS[name][1])


def test_address_and_size_reach_their_directives(way: Way) -> None:
    listens = [
        args[0] for path, args in way.directives(way.platform("address", "10.1.2.3")) if path.endswith("/listen")
    ]
    assert listens[:3] == ["10.1.2.3:3000", f"{INNER_ADDRESS}:80", f"{INNER_ADDRESS}:81"]
    sizes = [args for path, args in way.directives(way.platform("maxBodySize", "1.5k")) if "max_body" in path]
    assert sizes[0] == ["1500"]


def hostile(name: str) -> st.SearchStrategy[str]:
    """Texts that are hostile from the beginning, or after, before and in the middle of what is taken."""
    taken = st.sampled_from(TEXTS[name][1])
    return hostile_text | st.tuples(taken, hostile_text, st.sampled_from(("", *TEXTS[name][1]))).map("".join)


@pytest.mark.slow
@pytest.mark.no_cover
# 250 times 40 are 10,000 manifests.
@settings(max_examples=250)
@given(
    st.sampled_from(sorted(TEXTS)).flatmap(
        lambda name: st.tuples(st.just(name), st.lists(hostile(name), min_size=40, max_size=40))
    )
)
@example(("address", ["127.0.0.1:80;", "127.0.0.1\n", "::1", "::1%;}", "fe80::1%eth0", "0.0.0.0 ssl", "$host"]))
@example(("maxBodySize", ["1;", "1k;daemon on", "1\n", "1Mi}", "0", "-1", "1e3", "٣"]))
@example(("tls.mode", ["local;", "acme", "files\n"]))
@example(("tls.acme.directory", ["https://a;}", "https://a\n", "https://$host", 'https://"a"']))
def test_hostile_text_in_a_manifest_says_no_more_in_nginx_conf(way: Way, given: tuple[str, list[str]]) -> None:
    name, values = given
    for value in values:
        assert_harmless(way, name, value)


def test_gateway_may_use_the_memory_that_its_container_has_for_bodies_and_cache() -> None:
    config = plan_configuration(Platform(), plan_parts(Platform(), "dev", INNER_ADDRESS)[0])
    # What nginx is told where nobody plans a container is the same.
    assert (config.bodies_mib, config.cache_mib) == (GatewayConfig().bodies_mib, GatewayConfig().cache_mib)
    assert config.cache_directory.startswith(GATEWAY_CACHE_DIRECTORY + "/")
