"""Accounts: people become members by invitation, sign in, lose passwords, and are signed out, here or everywhere."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from sqlalchemy import Connection, Engine

from runyard.errors import UsageError
from runyard.names import DNS_LABEL
from services.console.adapters import users
from services.console.adapters.audit import Actor, AuditLog
from services.console.adapters.database import transaction
from services.console.adapters.users import Invitation, Membership, User
from services.console.identity.passwords import Passwords
from services.console.identity.throttle import Throttle
from services.console.refusal import Refusal

INVITATION_LIFE = timedelta(days=3)
# Handed on by people, so not in a quarter of an hour; but it opens an account that there is.
RESET_LIFE = timedelta(days=1)
SESSION_LIFE = timedelta(hours=12)
# One @ with something around it, without what separates or hides; the rest only its server knows.
_EMAIL = re.compile(r"[^\s@<>,;:\"\\\x00-\x1f\x7f]{1,64}@[a-z0-9]([a-z0-9.-]{0,190}[a-z0-9])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asking:
    """Where a request comes from: an address of the network, and a browser's cookie of an earlier sign-in, if any."""

    address: str
    device: str = ""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody who is signed in by a session."""

    user: User
    memberships: Sequence[Membership]


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just begun: its token, and that of the browser, neither of which is kept anywhere."""

    session: str
    device: str
    who: SignedIn


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Accounts:
    """The accounts of one console."""

    engine: Engine
    passwords: Passwords
    throttle: Throttle
    audit: AuditLog
    now: Callable[[], datetime] = _now

    def invite(self, invitation: Invitation) -> str:
        """Keep an invitation for three days and give its token; UsageError for an address or tenant that is none."""
        email, tenant = parse_email(invitation.email), invitation.membership.tenant
        if not DNS_LABEL.fullmatch(tenant):
            raise UsageError(f"tenant: must be a DNS label, got {tenant!r}")
        token = secrets.token_urlsafe(32)
        with transaction(self.engine) as connection:
            kept = Invitation(email, invitation.membership)
            users.add_invitation(connection, _digest(token), kept, self.now() + INVITATION_LIFE)
        role = invitation.membership.role
        self.audit.write(Actor("administrator"), "invite", "done", tenant=tenant, detail=f"{email} as {role}")
        return token

    def register(self, token: str, password: str, asking: Asking) -> Opened:
        """Use an invitation: make its account, or give one that there is a further tenant, and sign in.

        Refusal 404 for an invitation that is none, 400 for a password that cannot be one, 401 for one that is not that
        of the account, 429 after too many failures.
        """
        take_back = self.throttle.enter("", asking.address)
        with transaction(self.engine) as connection:
            invitation = users.use_invitation(connection, _digest(token), self.now())
            if invitation is None:
                raise Refusal(HTTPStatus.NOT_FOUND, "invitation: must be one that was not used and is not over")
            user = users.find_user(connection, invitation.email)
            if user is None:
                hashed = self.passwords.hash(password, invitation.email)
                user = users.add_user(connection, invitation.email, hashed)
            elif not self.passwords.fits(password, user.password):
                raise Refusal(HTTPStatus.UNAUTHORIZED, "password: must be that of the account that there is")
            users.add_membership(connection, user.id, invitation.membership)
            opened = self._open(connection, user)
        take_back()
        actor = Actor(user.email, asking.address)
        self.audit.write(actor, "register", "done", tenant=invitation.membership.tenant)
        return opened

    def reset(self, email: str) -> str:
        """Give a token by which another password is set once, for a day; UsageError where nobody has the address."""
        token = secrets.token_urlsafe(32)
        with transaction(self.engine) as connection:
            user = users.find_user(connection, parse_email(email))
            if user is None:
                raise UsageError(f"email: must be that of an account, got {email!r}")
            users.add_reset(connection, _digest(token), user.id, self.now() + RESET_LIFE)
            tenants = users.memberships(connection, user.id)
        self._tell(Actor("administrator"), "reset password", tenants, detail=user.email)
        return token

    def set_password(self, token: str, password: str, asking: Asking) -> Opened:
        """Use a reset: set the password, end all sessions that there were, and sign in.

        Refusal 404 for a reset that is none, 400 for a password that cannot be one, 429 after too many failures.
        """
        take_back = self.throttle.enter("", asking.address)
        with transaction(self.engine) as connection:
            user = users.use_reset(connection, _digest(token), self.now())
            if user is None:
                raise Refusal(HTTPStatus.NOT_FOUND, "reset: must be one that was not used and is not over")
            users.change_password(connection, user.id, self.passwords.hash(password, user.email))
            users.end_sessions(connection, user.id)
            opened = self._open(connection, user)
        take_back()
        self._tell(Actor(user.email, asking.address), "set password", opened.who.memberships)
        return opened

    def sign_in(self, email: str, password: str, asking: Asking) -> Opened:
        """Begin a session; Refusal 401 where user and password do not fit, 429 after too many failures."""
        email = email.strip().lower()[:255]
        actor = Actor(email, asking.address)
        with transaction(self.engine) as connection:
            user = users.find_user(connection, email)
            known = asking.device and users.is_device_of(connection, _digest(asking.device), email)
        try:
            take_back = self.throttle.enter(email, asking.address, _digest(asking.device).hex() if known else "")
            # Without a connection, of which there are few.
            if not self.passwords.fits(password, user.password if user else None) or user is None:
                raise Refusal(HTTPStatus.UNAUTHORIZED, "sign in: user and password must fit")
        except Refusal as refusal:
            self.audit.write(actor, "sign in", "refused", detail=str(refusal))
            raise
        take_back()
        with transaction(self.engine) as connection:
            if self.passwords.is_outdated(user.password):
                users.change_password(connection, user.id, self.passwords.rehash(password))
            opened = self._open(connection, user, asking.device if known else "")
        self.audit.write(actor, "sign in", "done")
        return opened

    def find(self, session: str) -> SignedIn | None:
        """Give who has a session; None for a token that is of none."""
        if not session:
            return None
        with transaction(self.engine) as connection:
            user = users.find_session(connection, _digest(session), self.now())
            return SignedIn(user, users.memberships(connection, user.id)) if user else None

    def sign_out(self, session: str) -> None:
        """End a session."""
        with transaction(self.engine) as connection:
            users.end_session(connection, _digest(session))

    def sign_out_everywhere(self, who: SignedIn, asking: Asking) -> None:
        """End all sessions of an account, in whatever browser, and know none of them any more."""
        with transaction(self.engine) as connection:
            users.end_sessions(connection, who.user.id)
        self.audit.write(Actor(who.user.email, asking.address), "sign out everywhere", "done")

    def _tell(self, actor: Actor, action: str, tenants: Sequence[Membership], detail: str = "") -> None:
        """Write what was done to an account into the log of every tenant of which it is a member."""
        for each in tenants:
            self.audit.write(actor, action, "done", tenant=each.tenant, detail=detail)

    def _open(self, connection: Connection, user: User, device: str = "") -> Opened:
        session = secrets.token_urlsafe(32)
        users.add_session(connection, _digest(session), user.id, self.now() + SESSION_LIFE)
        if not device:
            device = secrets.token_urlsafe(32)
            users.add_device(connection, _digest(device), user.id)
        return Opened(session, device, SignedIn(user, users.memberships(connection, user.id)))


def parse_email(text: str) -> str:
    """Give an address in lower case; UsageError for what can be none."""
    if not _EMAIL.fullmatch(text):
        raise UsageError(f"email: must be an e-mail address such as ann@example.org, got {text[:80]!r}")
    return text.lower()


def _digest(token: str) -> bytes:
    # Tokens are 256 random bits, so one pass is as good as many.
    return hashlib.sha256(token.encode()).digest()
