"""Users in the database: accounts, memberships, invitations, resets, sessions and known devices. Tokens come hashed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, text

Role = Literal["owner", "developer", "viewer", "billing"]
# Browsers of one account that are known at once.
MOST_DEVICES = 20


@dataclass(frozen=True, slots=True)
class Membership:
    """A tenant of which somebody sees something, and as what."""

    tenant: str
    role: Role


@dataclass(frozen=True, slots=True)
class User:
    """An account; `password` is the hash."""

    id: int
    email: str
    password: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who may become a member of what, by a token that counts once."""

    email: str
    membership: Membership


def find_user(connection: Connection, email: str) -> User | None:
    """Find an account by its address, in lower case."""
    row = _one(connection, "SELECT id, email, password FROM console.users WHERE email = :email", email=email)
    return User(*row) if row else None


def add_user(connection: Connection, email: str, password: str) -> User:
    """Add an account, whose address nobody has."""
    made = "INSERT INTO console.users (email, password) VALUES (:email, :password) RETURNING id"
    return User(int(_one(connection, made, email=email, password=password)[0]), email, password)


def change_password(connection: Connection, user_id: int, password: str) -> None:
    """Keep another hash."""
    _run(connection, "UPDATE console.users SET password = :password WHERE id = :id", id=user_id, password=password)


def add_membership(connection: Connection, user_id: int, membership: Membership) -> None:
    """Make an account a member; one that is already has the new role."""
    _run(
        connection,
        "INSERT INTO console.members (user_id, tenant, role) VALUES (:id, :tenant, :role)"
        " ON CONFLICT (user_id, tenant) DO UPDATE SET role = excluded.role",
        id=user_id,
        tenant=membership.tenant,
        role=membership.role,
    )


def memberships(connection: Connection, user_id: int) -> Sequence[Membership]:
    """List what an account is a member of, by name."""
    query = "SELECT tenant, role FROM console.members WHERE user_id = :id ORDER BY tenant"
    return [Membership(*row) for row in connection.execute(text(query), {"id": user_id})]


def add_invitation(connection: Connection, token: bytes, invitation: Invitation, expires_at: datetime) -> None:
    """Keep an invitation."""
    _run(
        connection,
        "INSERT INTO console.invitations (token, email, tenant, role, expires_at)"
        " VALUES (:token, :email, :tenant, :role, :expires_at)",
        token=token,
        email=invitation.email,
        tenant=invitation.membership.tenant,
        role=invitation.membership.role,
        expires_at=expires_at,
    )


def use_invitation(connection: Connection, token: bytes, now: datetime) -> Invitation | None:
    """Use an invitation up; None where there is none, it is over, or it was used."""
    row = _one(
        connection,
        "UPDATE console.invitations SET used_at = :now WHERE token = :token AND used_at IS NULL AND expires_at > :now"
        " RETURNING email, tenant, role",
        token=token,
        now=now,
    )
    return Invitation(row[0], Membership(row[1], row[2])) if row else None


def add_reset(connection: Connection, token: bytes, user_id: int, expires_at: datetime) -> None:
    """Keep a reset of an account's password, in the place of one that there is."""
    _run(
        connection,
        "INSERT INTO console.resets (token, user_id, expires_at) VALUES (:token, :id, :expires_at)"
        " ON CONFLICT (user_id) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at",
        token=token,
        id=user_id,
        expires_at=expires_at,
    )


def use_reset(connection: Connection, token: bytes, now: datetime) -> User | None:
    """Use a reset up and give whose it was; None where there is none, or it is over."""
    row = _one(
        connection,
        "DELETE FROM console.resets AS r USING console.users AS u"
        " WHERE r.token = :token AND r.expires_at > :now AND u.id = r.user_id RETURNING u.id, u.email, u.password",
        token=token,
        now=now,
    )
    return User(*row) if row else None


def add_session(connection: Connection, token: bytes, user_id: int, expires_at: datetime) -> None:
    """Keep a session, and forget those that are over."""
    _run(connection, "DELETE FROM console.sessions WHERE user_id = :id AND expires_at <= now()", id=user_id)
    _run(
        connection,
        "INSERT INTO console.sessions (token, user_id, expires_at) VALUES (:token, :id, :expires_at)",
        token=token,
        id=user_id,
        expires_at=expires_at,
    )


def find_session(connection: Connection, token: bytes, now: datetime) -> User | None:
    """Give whose session a token is of; None where it is of none, or of one that is over."""
    row = _one(
        connection,
        "SELECT u.id, u.email, u.password FROM console.sessions AS s JOIN console.users AS u ON u.id = s.user_id"
        " WHERE s.token = :token AND s.expires_at > :now",
        token=token,
        now=now,
    )
    return User(*row) if row else None


def end_session(connection: Connection, token: bytes) -> None:
    """End one session; one that has ended is no error."""
    _run(connection, "DELETE FROM console.sessions WHERE token = :token", token=token)


def end_sessions(connection: Connection, user_id: int) -> None:
    """End all sessions of an account, and forget its devices."""
    for table in ("sessions", "devices"):
        _run(connection, f"DELETE FROM console.{table} WHERE user_id = :id", id=user_id)  # noqa: S608  two names of ours


def add_device(connection: Connection, token: bytes, user_id: int) -> None:
    """Remember a browser in which an account was signed in, and forget those of before the last `MOST_DEVICES`."""
    _run(
        connection,
        "DELETE FROM console.devices WHERE token IN (SELECT token FROM console.devices WHERE user_id = :id"
        " ORDER BY created_at DESC OFFSET :most)",
        id=user_id,
        most=MOST_DEVICES - 1,
    )
    _run(connection, "INSERT INTO console.devices (token, user_id) VALUES (:token, :id)", token=token, id=user_id)


def is_device_of(connection: Connection, token: bytes, email: str) -> bool:
    """Tell whether a browser is known for an account."""
    query = (
        "SELECT 1 FROM console.devices AS d JOIN console.users AS u ON u.id = d.user_id"
        " WHERE d.token = :token AND u.email = :email"
    )
    return _one(connection, query, token=token, email=email) is not None


def _one(connection: Connection, query: str, **values: Any) -> Any:
    return connection.execute(text(query), values).one_or_none()


def _run(connection: Connection, query: str, **values: Any) -> None:
    connection.execute(text(query), values)
