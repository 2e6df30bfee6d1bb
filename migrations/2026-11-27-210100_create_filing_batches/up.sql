-- Batches: many filings ordered in one request, made one after the other by a job.

CREATE TABLE filing_batches (
    id uuid PRIMARY KEY,
    -- whose: an account's user made it, or a partner's client
    account_id uuid REFERENCES accounts (id),
    partner_id uuid REFERENCES partners (id),
    -- who ordered it, and with which request: the filings are made in this name
    created_by uuid NOT NULL REFERENCES users (id),
    request_id text NOT NULL,
    address text,
    state text NOT NULL CHECK (state IN ('processing', 'completed')),
    row_count integer NOT NULL,
    created_at timestamptz NOT NULL,
    completed_at timestamptz,
    CHECK (account_id IS NOT NULL OR partner_id IS NOT NULL),
    CHECK ((completed_at IS NULL) = (state = 'processing'))
);
CREATE INDEX filing_batches_account_idx ON filing_batches (account_id, created_at, id);
CREATE INDEX filing_batches_partner_idx ON filing_batches (partner_id, created_at, id);
CREATE INDEX filing_batches_completed_at_idx ON filing_batches (completed_at);

CREATE TABLE filing_batch_rows (
    batch_id uuid NOT NULL REFERENCES filing_batches (id) ON DELETE CASCADE,
    -- from 0, in the order of the request
    number integer NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'created', 'failed')),
    -- as it was sent: there need not be such a website
    website_id uuid,
    external_reference text,
    -- the row as it was sent, sealed; gone as soon as the row is done
    request bytea,
    -- tries that ended with a fault of the server
    faults integer NOT NULL DEFAULT 0,
    filing_id uuid REFERENCES filings (id),
    -- the check or the problem, in both languages; codes and texts, no personal data
    result jsonb,
    PRIMARY KEY (batch_id, number),
    CHECK ((request IS NOT NULL) = (state = 'pending')),
    CHECK ((filing_id IS NOT NULL) = (state = 'created')),
    CHECK ((result IS NULL) = (state = 'pending'))
);
