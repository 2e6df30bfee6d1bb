-- Webhooks: what partners are told, where, and how it went.

-- Events of partners' filings in one order: rows are written one after the other, so that a reader who asks for what comes
-- after the last row seen misses nothing.
CREATE TABLE partner_events (
    event_id uuid PRIMARY KEY REFERENCES filing_events (id),
    partner_id uuid NOT NULL REFERENCES partners (id),
    published_at timestamptz NOT NULL
);
CREATE INDEX partner_events_partner_idx ON partner_events (partner_id, published_at, event_id);
CREATE INDEX partner_events_published_idx ON partner_events (published_at, event_id);

INSERT INTO partner_events (event_id, partner_id, published_at)
SELECT e.id, f.partner_id, e.at
FROM filing_events e JOIN filings f ON f.id = e.filing_id
WHERE f.partner_id IS NOT NULL AND e.visibility = 'applicant';

CREATE TABLE webhook_endpoints (
    id uuid PRIMARY KEY,
    partner_id uuid NOT NULL REFERENCES partners (id),
    url text NOT NULL,
    description text,
    -- which events; empty: all
    event_types text[] NOT NULL DEFAULT '{}',
    -- sealed like personal data; the previous one goes on signing until its end
    secret bytea NOT NULL,
    previous_secret bytea,
    previous_secret_ends_at timestamptz,
    -- sealed; who is told when it is disabled by itself
    contact_email bytea,
    disabled_at timestamptz,
    disabled_reason text CHECK (disabled_reason IN ('owner', 'failing', 'gone')),
    -- the first failure since the last success
    failing_since timestamptz,
    -- a receiver that does not answer is left in peace until then, so that it does not hold up others
    unanswered integer NOT NULL DEFAULT 0,
    not_before timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_by uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (partner_id, url),
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    CHECK ((previous_secret IS NULL) = (previous_secret_ends_at IS NULL))
);
CREATE INDEX webhook_endpoints_created_at_idx ON webhook_endpoints (created_at, id);

CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    -- a filing's event, or the id of a test
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    -- the same bytes in every try
    body text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'dead')),
    -- redelivering begins a new round of tries
    round integer NOT NULL DEFAULT 1,
    tries integer NOT NULL DEFAULT 0,
    next_try_at timestamptz,
    last_status integer,
    last_error text,
    created_at timestamptz NOT NULL,
    delivered_at timestamptz,
    UNIQUE (endpoint_id, event_id)
);
CREATE INDEX webhook_deliveries_endpoint_idx ON webhook_deliveries (endpoint_id, created_at, id);
CREATE INDEX webhook_deliveries_created_at_idx ON webhook_deliveries (created_at);

CREATE TABLE webhook_attempts (
    id uuid PRIMARY KEY,
    delivery_id uuid NOT NULL REFERENCES webhook_deliveries (id) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    url text NOT NULL,
    duration_ms integer NOT NULL,
    response_status integer,
    -- at most 64 KiB
    response_body text,
    error text
);
CREATE INDEX webhook_attempts_delivery_idx ON webhook_attempts (delivery_id, at, id);
