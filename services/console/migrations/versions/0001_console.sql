-- The console's schema. Tokens are kept as their SHA-256: who reads these tables can be nobody with them.

CREATE TABLE console.users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email)),
    password text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- What a user may see, and as what.
CREATE TABLE console.members (
    user_id bigint NOT NULL REFERENCES console.users,
    tenant text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'developer', 'viewer', 'billing')),
    PRIMARY KEY (user_id, tenant)
);
CREATE TABLE console.invitations (
    token bytea PRIMARY KEY,
    email text NOT NULL CHECK (email = lower(email)),
    tenant text NOT NULL,
    role text NOT NULL CHECK (role IN ('owner', 'developer', 'viewer', 'billing')),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE TABLE console.sessions (
    token bytea PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES console.users,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_user ON console.sessions (user_id);
-- Browsers in which a user was signed in once: others' failures do not slow them down.
CREATE TABLE console.devices (
    token bytea PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES console.users,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- What was done and what was refused: who, in which tenant, from where. What concerns no tenant has none.
CREATE TABLE console.audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    tenant text,
    email text NOT NULL,
    action text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('done', 'refused')),
    detail text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT ''
);
CREATE INDEX audit_by_tenant ON console.audit (tenant, id);
CREATE FUNCTION console.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, lower(TG_OP)
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON console.audit
    FOR EACH ROW EXECUTE FUNCTION console.refuse_change();
