SET LOCAL lock_timeout = '3s';

-- When a message was last tried: the limit for each recipient counts these.
ALTER TABLE notifications ADD COLUMN attempted_at timestamptz;
CREATE INDEX notifications_attempted_idx ON notifications (user_id, channel, attempted_at)
    WHERE attempted_at IS NOT NULL;

-- One row per channel that has failed; all workers share it.
CREATE TABLE channel_breakers (
    channel text PRIMARY KEY CHECK (channel IN ('email', 'sms')),
    -- failures one after the other
    failures integer NOT NULL DEFAULT 0,
    -- pauses one after the other
    trips integer NOT NULL DEFAULT 0,
    -- null: open for messages
    paused_until timestamptz,
    -- one worker tries one message until then, to see whether it works again
    probe_until timestamptz,
    last_error text,
    changed_at timestamptz NOT NULL
);

-- Addresses and numbers that messages cannot reach, until they are verified anew or replaced.
CREATE TABLE undeliverable_contacts (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users (id),
    channel text NOT NULL CHECK (channel IN ('email', 'mobile')),
    -- refused: by the server or gateway at once; receipt: said by the network later
    source text NOT NULL CHECK (source IN ('refused', 'receipt')),
    code text,
    found_at timestamptz NOT NULL,
    cleared_at timestamptz,
    cleared_because text CHECK (cleared_because IN ('verified', 'replaced', 'delivered'))
);
CREATE UNIQUE INDEX undeliverable_contacts_open_key ON undeliverable_contacts (user_id, channel)
    WHERE cleared_at IS NULL;
CREATE INDEX undeliverable_contacts_found_idx ON undeliverable_contacts (found_at, id);
