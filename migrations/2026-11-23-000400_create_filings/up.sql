-- Filings, their revisions, timeline, materials and rejections.

CREATE SEQUENCE filing_order_no_seq;

CREATE TABLE filings (
    id uuid PRIMARY KEY,
    order_no text NOT NULL UNIQUE,
    account_id uuid NOT NULL REFERENCES accounts (id),
    -- copied from the account, so that a partner's reference is unique by index
    partner_id uuid REFERENCES partners (id),
    external_reference text,
    subject_id uuid NOT NULL REFERENCES subjects (id),
    website_id uuid NOT NULL REFERENCES websites (id),
    kind text NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'initial_review', 'initial_rejected', 'photo_required', 'photo_review',
        'photo_rejected', 'bureau_queued', 'sms_verification', 'sms_failed', 'bureau_review', 'bureau_rejected', 'approved',
        'abandoned', 'expired')),
    status_changed_at timestamptz NOT NULL,
    province_code text NOT NULL,
    -- the filed version that the draft was copied from
    base_version integer NOT NULL,
    base_content_id uuid NOT NULL REFERENCES website_contents (id),
    -- what is being edited
    content_id uuid NOT NULL REFERENCES website_contents (id),
    -- copies of the content for lists and search
    website_name text,
    domain_names text[] NOT NULL DEFAULT '{}',
    -- pointers of fields that both the applicant and the filed data changed, found when the filing was reopened
    conflicts jsonb NOT NULL DEFAULT '[]',
    -- 0: never submitted
    revision_no integer NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    due_at timestamptz,
    due_is_provisional boolean NOT NULL DEFAULT false,
    step_expires_at timestamptz,
    created_by uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL,
    submitted_at timestamptz,
    updated_at timestamptz NOT NULL
);
-- One live filing per subject.
CREATE UNIQUE INDEX filings_live_subject_key ON filings (subject_id)
    WHERE status NOT IN ('approved', 'abandoned', 'expired');
CREATE UNIQUE INDEX filings_partner_reference_key ON filings (partner_id, external_reference)
    WHERE partner_id IS NOT NULL AND external_reference IS NOT NULL;
CREATE UNIQUE INDEX filings_account_reference_key ON filings (account_id, external_reference)
    WHERE partner_id IS NULL AND external_reference IS NOT NULL;
CREATE INDEX filings_account_created_idx ON filings (account_id, created_at, id);
CREATE INDEX filings_partner_created_idx ON filings (partner_id, created_at, id);
CREATE INDEX filings_created_idx ON filings (created_at, id);
CREATE INDEX filings_status_created_idx ON filings (status, created_at, id);
CREATE INDEX filings_website_idx ON filings (website_id, created_at, id);
CREATE INDEX filings_step_expires_idx ON filings (step_expires_at) WHERE step_expires_at IS NOT NULL;
CREATE INDEX filings_website_name_idx ON filings (website_name text_pattern_ops);
CREATE INDEX filings_order_no_idx ON filings (order_no text_pattern_ops);
CREATE INDEX filings_domain_names_idx ON filings USING gin (domain_names);

ALTER TABLE website_versions ADD CONSTRAINT website_versions_filing_id_fkey FOREIGN KEY (filing_id) REFERENCES filings (id);

-- Who created, edited or submitted a filing: they may not review or decide it.
CREATE TABLE filing_participants (
    filing_id uuid NOT NULL REFERENCES filings (id),
    user_id uuid NOT NULL REFERENCES users (id),
    PRIMARY KEY (filing_id, user_id)
);

CREATE TABLE filing_revisions (
    id uuid PRIMARY KEY,
    filing_id uuid NOT NULL REFERENCES filings (id),
    revision_no integer NOT NULL,
    content_id uuid NOT NULL REFERENCES website_contents (id),
    submitted_by uuid NOT NULL REFERENCES users (id),
    submitted_at timestamptz NOT NULL,
    -- acceptance: which document, by whom, from where
    terms_id uuid NOT NULL REFERENCES terms (id),
    consent_id uuid NOT NULL REFERENCES terms (id),
    accepted_by_name text,
    accepted_client text NOT NULL,
    accepted_address text,
    -- keyed hash of name, certificate type and number of the responsible person
    person_hash bytea NOT NULL,
    UNIQUE (filing_id, revision_no)
);

CREATE TABLE filing_events (
    id uuid PRIMARY KEY,
    filing_id uuid NOT NULL REFERENCES filings (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    type text NOT NULL,
    visibility text NOT NULL CHECK (visibility IN ('applicant', 'staff')),
    at timestamptz NOT NULL,
    actor_role text NOT NULL,
    actor_user_id uuid REFERENCES users (id),
    -- the filing's status and version after the event
    status text NOT NULL,
    filing_version integer NOT NULL,
    -- ids and codes only
    data jsonb NOT NULL
);
CREATE INDEX filing_events_filing_idx ON filing_events (filing_id, at, id);
CREATE INDEX filing_events_account_idx ON filing_events (account_id, at, id);

CREATE TABLE filing_notes (
    id uuid PRIMARY KEY,
    filing_id uuid NOT NULL REFERENCES filings (id),
    author_id uuid NOT NULL REFERENCES users (id),
    body text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX filing_notes_filing_idx ON filing_notes (filing_id, created_at, id);

CREATE TABLE attachments (
    id uuid PRIMARY KEY,
    filing_id uuid NOT NULL REFERENCES filings (id),
    account_id uuid NOT NULL REFERENCES accounts (id),
    -- code of the material
    purpose text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'scanning', 'ready', 'refused', 'deleted', 'expired')),
    -- code of the reason when refused
    refused_code text,
    file_name text NOT NULL,
    content_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    -- presigned for writing; removed after completion
    upload_key text NOT NULL UNIQUE,
    upload_expires_at timestamptz NOT NULL,
    -- never presigned for writing
    object_key text UNIQUE,
    created_by uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL,
    completed_at timestamptz,
    version integer NOT NULL DEFAULT 1
);
CREATE INDEX attachments_filing_idx ON attachments (filing_id, created_at, id);
CREATE INDEX attachments_pending_idx ON attachments (upload_expires_at) WHERE state IN ('pending', 'scanning');

CREATE TABLE filing_revision_attachments (
    revision_id uuid NOT NULL REFERENCES filing_revisions (id),
    attachment_id uuid NOT NULL REFERENCES attachments (id),
    PRIMARY KEY (revision_id, attachment_id)
);
CREATE INDEX filing_revision_attachments_attachment_idx ON filing_revision_attachments (attachment_id);

CREATE TABLE rejections (
    id uuid PRIMARY KEY,
    filing_id uuid NOT NULL REFERENCES filings (id),
    revision_id uuid NOT NULL REFERENCES filing_revisions (id),
    round integer NOT NULL,
    source text NOT NULL CHECK (source IN ('initial_review', 'photo_review', 'bureau')),
    -- text of the bureau or the reviewer's closing words
    note text,
    created_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL,
    UNIQUE (filing_id, round)
);

CREATE TABLE rejection_items (
    id uuid PRIMARY KEY,
    rejection_id uuid NOT NULL REFERENCES rejections (id),
    filing_id uuid NOT NULL REFERENCES filings (id),
    position integer NOT NULL,
    target_kind text NOT NULL CHECK (target_kind IN ('field', 'material', 'photo')),
    pointer text,
    material_code text,
    code text NOT NULL,
    reason text NOT NULL,
    suggestion text,
    is_repeated boolean NOT NULL,
    applicant_reply text,
    replied_at timestamptz,
    CHECK ((target_kind = 'field') = (pointer IS NOT NULL)),
    CHECK ((target_kind = 'material') = (material_code IS NOT NULL))
);
CREATE INDEX rejection_items_rejection_idx ON rejection_items (rejection_id, position);
CREATE INDEX rejection_items_filing_idx ON rejection_items (filing_id);
