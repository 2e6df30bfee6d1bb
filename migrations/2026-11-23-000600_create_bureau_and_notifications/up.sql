-- Hand-over to the bureau, and what people are told.

CREATE TABLE bureaus (
    -- province code, GB/T 2260
    code text PRIMARY KEY,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    paused_at timestamptz,
    pause_reason text,
    paused_by uuid REFERENCES users (id),
    -- last number given to an accepted package
    last_sequence_no bigint NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1
);

CREATE TABLE bureau_submissions (
    id uuid PRIMARY KEY,
    filing_id uuid NOT NULL REFERENCES filings (id),
    revision_id uuid NOT NULL REFERENCES filing_revisions (id),
    bureau_code text NOT NULL REFERENCES bureaus (code),
    state text NOT NULL CHECK (state IN ('queued', 'sending', 'accepted', 'approved', 'rejected', 'unconfirmed', 'failed',
        'given_up', 'cancelled')),
    attempt_no integer NOT NULL DEFAULT 0,
    queued_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    due_is_provisional boolean NOT NULL,
    sent_at timestamptz,
    accepted_at timestamptz,
    -- continuous per bureau, given at acceptance
    sequence_no bigint,
    -- the bureau's own number of the package
    external_reference text,
    bureau_due_at timestamptz,
    bureau_due_is_provisional boolean,
    sms_expires_at timestamptz,
    decided_at timestamptz,
    decided_by uuid REFERENCES users (id),
    result_code text,
    result_text text,
    last_error text,
    version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL,
    UNIQUE (bureau_code, sequence_no)
);
-- One submission under way per filing.
CREATE UNIQUE INDEX bureau_submissions_live_key ON bureau_submissions (filing_id)
    WHERE state IN ('queued', 'sending', 'accepted', 'unconfirmed', 'failed');
CREATE INDEX bureau_submissions_state_idx ON bureau_submissions (state, queued_at, id);
CREATE INDEX bureau_submissions_queued_idx ON bureau_submissions (queued_at, id);
CREATE INDEX bureau_submissions_bureau_idx ON bureau_submissions (bureau_code, state, queued_at, id);
CREATE INDEX bureau_submissions_filing_idx ON bureau_submissions (filing_id, queued_at, id);

-- What the bureau (or the operator for it) said. An exact repeat is a no-op, a contradiction a conflict.
CREATE TABLE bureau_events (
    id uuid PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES bureau_submissions (id),
    external_reference text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('accepted', 'refused', 'sms', 'decided')),
    payload jsonb NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('applied', 'late')),
    received_at timestamptz NOT NULL,
    received_from uuid REFERENCES users (id),
    UNIQUE (submission_id, external_reference)
);

CREATE TABLE sms_verifications (
    id uuid PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES bureau_submissions (id),
    role text NOT NULL CHECK (role IN ('website_responsible_person', 'subject_responsible_person')),
    mobile bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'confirmed', 'failed')),
    wrong_attempts integer NOT NULL DEFAULT 0,
    confirmed_at timestamptz,
    UNIQUE (submission_id, role)
);

CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    filing_id uuid REFERENCES filings (id),
    event_id uuid,
    event_type text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('inbox', 'email', 'sms')),
    state text NOT NULL CHECK (state IN ('queued', 'sent', 'failed', 'dead', 'suppressed')),
    locale text NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    last_error text,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    read_at timestamptz
);
-- An event tells a user once per channel, however often its job runs.
CREATE UNIQUE INDEX notifications_event_key ON notifications (event_id, user_id, channel) WHERE event_id IS NOT NULL;
CREATE INDEX notifications_inbox_idx ON notifications (user_id, created_at, id) WHERE channel = 'inbox';
CREATE INDEX notifications_unread_idx ON notifications (user_id) WHERE channel = 'inbox' AND read_at IS NULL;

-- Embedded stand-in for an SMS carrier: what would have been sent.
CREATE TABLE sms_messages (
    id uuid PRIMARY KEY,
    notification_id uuid REFERENCES notifications (id),
    recipient bytea NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX sms_messages_created_idx ON sms_messages (created_at, id);
