-- Who may set another password without the one that was lost; a token is kept as its SHA-256, and goes when it is used.

CREATE TABLE console.resets (
    token bytea PRIMARY KEY,
    user_id bigint NOT NULL UNIQUE REFERENCES console.users,
    expires_at timestamptz NOT NULL
);
