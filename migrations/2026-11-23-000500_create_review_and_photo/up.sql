-- Photo verification, review tasks and the backdrop's journey.

CREATE TABLE photo_verifications (
    id uuid PRIMARY KEY,
    filing_id uuid NOT NULL REFERENCES filings (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    attempt_no integer NOT NULL,
    state text NOT NULL CHECK (state IN ('awaiting_upload', 'checking', 'precheck_failed', 'in_review', 'passed', 'rejected',
        'cancelled', 'void')),
    file_name text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    upload_key text NOT NULL UNIQUE,
    upload_expires_at timestamptz NOT NULL,
    object_key text UNIQUE,
    -- whom the photo shows: as filing_revisions.person_hash
    person_hash bytea NOT NULL,
    findings jsonb NOT NULL,
    created_by uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL,
    submitted_at timestamptz,
    checked_at timestamptz,
    decided_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    UNIQUE (filing_id, attempt_no)
);
-- At most one live attempt per filing.
CREATE UNIQUE INDEX photo_verifications_live_key ON photo_verifications (filing_id)
    WHERE state IN ('awaiting_upload', 'checking', 'in_review');
CREATE INDEX photo_verifications_sha256_idx ON photo_verifications (sha256);
CREATE INDEX photo_verifications_pending_idx ON photo_verifications (upload_expires_at) WHERE state = 'awaiting_upload';

CREATE TABLE review_tasks (
    id uuid PRIMARY KEY,
    filing_id uuid NOT NULL REFERENCES filings (id),
    stage text NOT NULL CHECK (stage IN ('initial_review', 'photo_review')),
    state text NOT NULL CHECK (state IN ('open', 'claimed', 'approved', 'rejected', 'cancelled')),
    revision_id uuid NOT NULL REFERENCES filing_revisions (id),
    photo_verification_id uuid REFERENCES photo_verifications (id),
    round integer NOT NULL,
    -- for the queue's filters, copied when the task is opened
    province_code text NOT NULL,
    is_escalated boolean NOT NULL DEFAULT false,
    due_at timestamptz NOT NULL,
    due_is_provisional boolean NOT NULL,
    claimed_by uuid REFERENCES users (id),
    claimed_at timestamptz,
    lease_expires_at timestamptz,
    -- set by a senior reviewer: only this person may claim
    assigned_to uuid REFERENCES users (id),
    -- codes ticked so far
    checklist jsonb NOT NULL,
    -- unfinished decision; survives the lease
    draft jsonb,
    decided_by uuid REFERENCES users (id),
    decided_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    CHECK ((stage = 'photo_review') = (photo_verification_id IS NOT NULL)),
    CHECK ((state = 'claimed') <= (claimed_by IS NOT NULL))
);
-- One open task per filing and stage.
CREATE UNIQUE INDEX review_tasks_open_key ON review_tasks (filing_id, stage) WHERE state IN ('open', 'claimed');
CREATE INDEX review_tasks_queue_idx ON review_tasks (due_at, id) WHERE state IN ('open', 'claimed');
CREATE INDEX review_tasks_state_idx ON review_tasks (state, due_at, id);
CREATE INDEX review_tasks_filing_idx ON review_tasks (filing_id, created_at, id);
CREATE INDEX review_tasks_claimed_by_idx ON review_tasks (claimed_by, due_at, id);

-- Who holds or has held a task may read its filing.
CREATE TABLE review_task_holders (
    task_id uuid NOT NULL REFERENCES review_tasks (id),
    user_id uuid NOT NULL REFERENCES users (id),
    filing_id uuid NOT NULL REFERENCES filings (id),
    PRIMARY KEY (task_id, user_id)
);
CREATE INDEX review_task_holders_filing_idx ON review_task_holders (filing_id, user_id);

CREATE TABLE backdrop_shipments (
    id uuid PRIMARY KEY,
    filing_id uuid NOT NULL REFERENCES filings (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    state text NOT NULL CHECK (state IN ('requested', 'packed', 'shipped', 'delivered', 'cancelled', 'returned', 'lost')),
    recipient_name bytea NOT NULL,
    phone bytea NOT NULL,
    province_code text NOT NULL,
    city_code text NOT NULL,
    district_code text,
    street_address bytea NOT NULL,
    postcode text,
    charged_to text NOT NULL CHECK (charged_to IN ('applicant', 'provider')),
    carrier_code text,
    tracking_number text,
    tracker_status text CHECK (tracker_status IN ('pending', 'picked_up', 'in_transit', 'out_for_delivery', 'delivered',
        'exception', 'returning', 'returned')),
    created_by uuid NOT NULL REFERENCES users (id),
    requested_at timestamptz NOT NULL,
    packed_at timestamptz,
    shipped_at timestamptz,
    delivered_at timestamptz,
    -- cancelled, returned or lost
    closed_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL,
    CHECK (state NOT IN ('shipped', 'delivered', 'returned', 'lost') OR (carrier_code IS NOT NULL AND tracking_number IS NOT NULL))
);
-- One open shipment per filing.
CREATE UNIQUE INDEX backdrop_shipments_open_key ON backdrop_shipments (filing_id)
    WHERE state IN ('requested', 'packed', 'shipped');
CREATE INDEX backdrop_shipments_filing_idx ON backdrop_shipments (filing_id, requested_at, id);
CREATE INDEX backdrop_shipments_account_idx ON backdrop_shipments (account_id);
CREATE INDEX backdrop_shipments_state_idx ON backdrop_shipments (state, requested_at, id);
CREATE INDEX backdrop_shipments_requested_idx ON backdrop_shipments (requested_at, id);

CREATE TABLE tracking_events (
    id uuid PRIMARY KEY,
    shipment_id uuid NOT NULL REFERENCES backdrop_shipments (id),
    at timestamptz NOT NULL,
    status text NOT NULL,
    place text,
    text text NOT NULL,
    raw_code text,
    recorded_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL
);
CREATE INDEX tracking_events_shipment_idx ON tracking_events (shipment_id, at, id);
