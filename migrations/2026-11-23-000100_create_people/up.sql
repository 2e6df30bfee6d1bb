-- People and ownership (docs: domain section 1). Columns of type bytea that hold personal data are sealed:
-- 32 bytes keyed hash | 1 byte key number | 12 bytes nonce | AES-256-GCM ciphertext and tag (src/kernel/pii.rs).
-- Generated *_hash columns are the first 32 bytes: equality without opening the seal.

CREATE TABLE partners (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    paused_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL
);
CREATE INDEX partners_created_at_idx ON partners (created_at, id);

CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    partner_id uuid REFERENCES partners (id),
    external_reference text,
    disabled_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK (external_reference IS NULL OR partner_id IS NOT NULL)
);
CREATE INDEX accounts_created_at_idx ON accounts (created_at, id);
CREATE UNIQUE INDEX accounts_partner_reference_key ON accounts (partner_id, external_reference);

CREATE TABLE users (
    id uuid PRIMARY KEY,
    -- lower case; what a person types to log in
    login text NOT NULL UNIQUE CHECK (login = lower(login)),
    display_name text NOT NULL,
    password_hash text NOT NULL,
    account_id uuid REFERENCES accounts (id),
    roles text[] NOT NULL DEFAULT '{}',
    email bytea,
    email_hash bytea GENERATED ALWAYS AS (substring(email FROM 1 FOR 32)) STORED,
    email_verified_at timestamptz,
    mobile bytea,
    mobile_verified_at timestamptz,
    locale text NOT NULL DEFAULT 'zh-CN' CHECK (locale IN ('zh-CN', 'en')),
    disabled_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- an applicant belongs to an account, a member of staff has roles, nobody is both
    CHECK ((account_id IS NULL) <> (roles = '{}')),
    CHECK (roles <@ ARRAY['reviewer', 'senior_reviewer', 'logistics', 'bureau_operator', 'support', 'auditor', 'admin'])
);
CREATE INDEX users_account_id_idx ON users (account_id);
CREATE INDEX users_created_at_idx ON users (created_at, id);
CREATE INDEX users_email_hash_idx ON users (email_hash);

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    client text NOT NULL CHECK (client IN ('app', 'docs')),
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id) WHERE revoked_at IS NULL;

CREATE TABLE refresh_tokens (
    id uuid PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions (id),
    token_hash bytea NOT NULL UNIQUE,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    successor_id uuid REFERENCES refresh_tokens (id)
);
CREATE INDEX refresh_tokens_session_id_idx ON refresh_tokens (session_id);

CREATE TABLE password_resets (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

CREATE TABLE contact_verifications (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    channel text NOT NULL CHECK (channel IN ('email', 'mobile')),
    -- the sealed new address or number; becomes the user's only when the code comes back
    contact bytea NOT NULL,
    code_hash bytea NOT NULL,
    wrong_attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX contact_verifications_user_id_idx ON contact_verifications (user_id);

-- Failed log-ins: one row per (account, address) and one per account.
CREATE TABLE throttle_counters (
    key text PRIMARY KEY,
    window_started_at timestamptz NOT NULL,
    count integer NOT NULL
);

CREATE TABLE notification_preferences (
    user_id uuid NOT NULL REFERENCES users (id),
    event_type text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('email', 'sms')),
    is_enabled boolean NOT NULL,
    PRIMARY KEY (user_id, event_type, channel)
);
