-- Partners' programs: who they are, what they may, their secrets. Each has a service user with the same id, so that
-- whatever refers to a user (created_by, participants, audit) can name a client.

CREATE TABLE api_clients (
    id uuid PRIMARY KEY,
    partner_id uuid NOT NULL REFERENCES partners (id),
    -- what a token request names
    client_id text NOT NULL UNIQUE CHECK (client_id ~ '^[a-z0-9][a-z0-9._-]{2,59}$'),
    name text NOT NULL,
    -- granted; every token has these or fewer
    scopes text[] NOT NULL,
    -- addresses and blocks that it may call from; empty: any
    allowed_addresses text[] NOT NULL DEFAULT '{}',
    paused_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX api_clients_created_at_idx ON api_clients (created_at, id);
CREATE INDEX api_clients_partner_id_idx ON api_clients (partner_id, created_at, id);

CREATE TABLE api_client_secrets (
    id uuid PRIMARY KEY,
    api_client_id uuid NOT NULL REFERENCES api_clients (id),
    -- SHA-256 of 256 random bits; the secret itself is shown once and not kept
    secret_hash bytea NOT NULL UNIQUE,
    -- its last four characters, so that people can tell secrets apart
    hint text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_client_secrets_client_idx ON api_client_secrets (api_client_id, created_at, id);

ALTER TABLE users ADD COLUMN api_client_id uuid UNIQUE REFERENCES api_clients (id);
ALTER TABLE users DROP CONSTRAINT users_check;
-- an applicant belongs to an account, a member of staff has roles, a service user is a client's; nobody is two of them
ALTER TABLE users ADD CONSTRAINT users_kind_check
    CHECK (num_nonnulls(account_id, api_client_id) + (roles <> '{}')::integer = 1);
ALTER TABLE users ADD CONSTRAINT users_api_client_id_check CHECK (api_client_id = id);

ALTER TABLE sessions ADD COLUMN api_client_secret_id uuid REFERENCES api_client_secrets (id);
ALTER TABLE sessions DROP CONSTRAINT sessions_client_check;
ALTER TABLE sessions ADD CONSTRAINT sessions_client_check CHECK (client IN ('app', 'docs', 'api'));
CREATE INDEX sessions_api_client_secret_id_idx ON sessions (api_client_secret_id) WHERE revoked_at IS NULL;
