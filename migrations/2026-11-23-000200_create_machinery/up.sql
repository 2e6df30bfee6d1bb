-- What every feature leans on: jobs (which are the outbox), idempotency keys, audit trail, catalogue rows, terms.

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    -- ids only, never personal data
    payload jsonb NOT NULL,
    -- while a job with this key waits or runs, a second one is not enqueued
    dedup_key text,
    state text NOT NULL CHECK (state IN ('pending', 'running', 'done', 'dead')),
    run_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL,
    lease_until timestamptz,
    -- fencing token: a worker may finish a job only with the token of its own claim
    lease_token uuid,
    last_error text,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE UNIQUE INDEX jobs_dedup_key_key ON jobs (dedup_key) WHERE state IN ('pending', 'running');
CREATE INDEX jobs_pending_idx ON jobs (run_at, id) WHERE state = 'pending';
CREATE INDEX jobs_running_idx ON jobs (lease_until) WHERE state = 'running';
CREATE INDEX jobs_state_idx ON jobs (state, created_at, id);

CREATE TABLE idempotency_keys (
    -- caller and route
    scope text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    status integer NOT NULL,
    headers jsonb NOT NULL,
    -- the masked reply, as it was sent
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);

CREATE TABLE audit_events (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    -- null: the system itself
    actor_user_id uuid REFERENCES users (id),
    actor_role text NOT NULL,
    action text NOT NULL,
    object_type text NOT NULL,
    object_id uuid,
    account_id uuid,
    filing_id uuid,
    request_id text,
    address text,
    -- never personal data
    details jsonb NOT NULL
);
CREATE INDEX audit_events_at_idx ON audit_events (at, id);
CREATE INDEX audit_events_filing_id_idx ON audit_events (filing_id, at, id);
CREATE INDEX audit_events_actor_idx ON audit_events (actor_user_id, at, id);

-- Rules as data: rejection reasons, dictionaries, carriers, province rules, photo guide, checklists, calendar years.
-- The row in force for a key is the one with the latest effective_from that is not in the future.
CREATE TABLE catalogue_rows (
    catalogue text NOT NULL,
    key text NOT NULL,
    effective_from date NOT NULL,
    position integer NOT NULL DEFAULT 0,
    data jsonb NOT NULL,
    source text NOT NULL,
    -- null: shipped with the program
    changed_by uuid REFERENCES users (id),
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (catalogue, key, effective_from)
);

CREATE TABLE terms (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('service_terms', 'personal_information_consent')),
    version text NOT NULL,
    text_zh text NOT NULL,
    text_en text NOT NULL,
    sha256 text NOT NULL,
    effective_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (kind, version)
);
