"""ACME issuer: certificates from an ACME server (RFC 8555) by HTTP-01, answered through the gateway.

The protocol is certbot's own library, which is synchronous: each order runs in a thread. Connections only go out, so
this needs no port, and what comes in is the gateway's: a token whose answer it was told.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWKEC

from runyard.contracts import TlsSettings
from runyard.errors import HostError, UsageError
from services.orchestrator.model.pair import Pair
from services.orchestrator.tls.authority import key_text
from services.orchestrator.tls.certificates import Source
from services.orchestrator.tls.vault import Vault

Result = TypeVar("Result")

ACCOUNTS = "account"
# Let's Encrypt asks for its challenge within seconds and from several places; busy times take minutes.
ORDER_S = 90.0
# Its windows are hours and weeks long; asking into a closed one may prolong it.
LIMITED_S = 3600.0


class Challenges(Protocol):
    """The gateway's side of HTTP-01; every method raises HostError."""

    async def put_challenge(self, token: str, answer: str) -> None:
        """Answer an ACME server that asks for this token."""
        ...

    async def delete_challenge(self, token: str) -> None:
        """Answer this token no longer."""
        ...


@dataclass(frozen=True, slots=True)
class _Order:
    resource: messages.OrderResource
    # Each pending challenge, and the text that answers it.
    answers: tuple[tuple[messages.ChallengeBody, str], ...]


class AcmeIssuer:
    """Orders one certificate a host."""

    source: Source = "acme"
    at_once = False

    def __init__(self, settings: TlsSettings, vault: Vault, gateway: Challenges, now: Callable[[], float]) -> None:
        self._settings = settings
        self._vault = vault
        self._gateway = gateway
        self._now = now
        # Staging and production are two servers: neither's certificates or account are the other's.
        self.shelf = "acme-" + hashlib.sha256(settings.acme_directory.encode()).hexdigest()[:8]
        self._client: client.ClientV2 | None = None
        self._limited_until = 0.0

    async def issue(self, host: str) -> Pair:
        """Order a certificate; UsageError for a host that HTTP-01 cannot prove, HostError says why there is none."""
        if host.startswith("*."):
            raise UsageError(f"host {host}: an ACME server proves wildcards by DNS alone; give it a file instead")
        if self._now() < self._limited_until:
            raise HostError(f"order certificate for {host}: the ACME server's rate limit is used up")
        key = ec.generate_private_key(ec.SECP256R1())
        order = await self._ask(host, lambda: self._begin(host, key))
        try:
            for challenge, answer in order.answers:
                await self._gateway.put_challenge(challenge.chall.encode("token"), answer)
            chain = await self._ask(host, lambda: self._finish(order))
        finally:
            for challenge, _ in order.answers:
                await self._gateway.delete_challenge(challenge.chall.encode("token"))
        return Pair(chain, key_text(key))

    # In the thread.

    def _begin(self, host: str, key: ec.EllipticCurvePrivateKey) -> _Order:
        acme = self._client = self._client or self._connect()
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        request = builder.sign(key, hashes.SHA256())
        resource = acme.new_order(request.public_bytes(serialization.Encoding.PEM))
        answers = []
        for authorization in resource.authorizations:
            # One that is valid still, from an order that came to nothing later, needs no proof again.
            if authorization.body.status == messages.STATUS_PENDING:
                answers.append(self._answer(host, authorization.body, acme.net.key))
        return _Order(resource, tuple(answers))

    @staticmethod
    def _answer(host: str, body: messages.Authorization, key: Any) -> tuple[messages.ChallengeBody, str]:
        for challenge in body.challenges:
            if isinstance(challenge.chall, challenges.HTTP01):
                return challenge, challenge.chall.validation(key)
        offered = ", ".join(each.chall.typ for each in body.challenges)
        raise HostError(f"order certificate for {host}: the server offers no http-01 challenge, but {offered}")

    def _finish(self, order: _Order) -> str:
        acme = self._client or self._connect()
        for challenge, _ in order.answers:
            acme.answer_challenge(challenge, challenge.chall.response(acme.net.key))
        # The library's own clock: naive local time.
        deadline = datetime.datetime.now() + datetime.timedelta(seconds=ORDER_S)
        return str(acme.poll_and_finalize(order.resource, deadline).fullchain_pem)

    def _connect(self) -> client.ClientV2:
        network = client.ClientNetwork(
            JWKEC(key=self._account_key()),
            alg=ES256,
            # requests takes a file of CAs here, which the library's annotation does not know.
            verify_ssl=self._trusted(),  # type: ignore[arg-type]
            user_agent="runyard",
        )
        acme = client.ClientV2(client.ClientV2.get_directory(self._settings.acme_directory, network), network)
        contact = tuple(f"mailto:{each}" for each in self._settings.acme_contacts)
        wanted = messages.NewRegistration(contact=contact, terms_of_service_agreed=True)
        try:
            acme.new_account(wanted)
        except errors.ConflictError as error:
            # The key has its account already: made by this stack before it was restarted.
            known = messages.RegistrationResource(body=messages.Registration(contact=contact), uri=error.location)
            acme.query_registration(known)
        return acme

    def _account_key(self) -> Any:
        kept = self._vault.get(ACCOUNTS, self.shelf)
        if kept is None:
            kept = Pair("", key_text(ec.generate_private_key(ec.SECP256R1())))
            self._vault.put(ACCOUNTS, self.shelf, kept)
        return serialization.load_pem_private_key(kept.key.encode(), password=None)

    def _trusted(self) -> str | bool:
        if not self._settings.acme_ca:
            return True
        file = self._vault.directory / f"{self.shelf}.ca.pem"
        self._vault.write(file, self._settings.acme_ca)
        return str(Path(file))

    async def _ask(self, host: str, work: Callable[[], Result]) -> Result:
        doing = f"order certificate for {host}"
        try:
            return await in_thread(work)
        except errors.ValidationError as error:
            reasons = [
                f"{each.typ.rpartition(':')[2]}: {each.detail}" if each else "no reason given"
                for one in error.failed_authzrs
                for each in [next((each.error for each in one.body.challenges if each.error), None)]
            ]
            raise HostError(f"{doing}: the server could not prove it: {'; '.join(reasons)}") from error
        except errors.TimeoutError as error:
            raise HostError(f"{doing}: the server did not decide in {ORDER_S:.0f} s") from error
        except messages.Error as error:
            if error.code == "rateLimited":
                self._limited_until = self._now() + LIMITED_S
            raise HostError(f"{doing}: the server refused: {error.typ.rpartition(':')[2]}: {error.detail}") from error
        except (errors.Error, requests.RequestException, JoseError, ValueError) as error:
            raise HostError(f"{doing}: ask {self._settings.acme_directory}: {error or type(error).__name__}") from error


async def in_thread(work: Callable[[], Result]) -> Result:
    """Run work in a thread that nobody waits for at the end of the program, unlike asyncio's own."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: Exception | None) -> None:
        # Cancelled meanwhile, or the loop is closing: nobody wants it any more.
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except Exception as error:
            failure = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, daemon=True).start()
    return await future
