SET LOCAL lock_timeout = '3s';

-- What a provider said about a message after it took it.
ALTER TABLE notifications
    -- what SMS templates of a provider are filled with; never personal data
    ADD COLUMN variables jsonb,
    ADD COLUMN provider text,
    -- the provider's own number of the message
    ADD COLUMN provider_reference text,
    -- whom it went to: masked for people, a keyed hash to compare with the contact of today
    ADD COLUMN recipient_masked text,
    ADD COLUMN recipient_hash bytea,
    -- null: no receipt is expected
    ADD COLUMN receipt text CHECK (receipt IN ('pending', 'delivered', 'undelivered', 'unknown')),
    ADD COLUMN receipt_code text,
    ADD COLUMN receipt_at timestamptz;
CREATE INDEX notifications_provider_reference_idx ON notifications (provider_reference)
    WHERE provider_reference IS NOT NULL;
CREATE INDEX notifications_sent_out_idx ON notifications (created_at, id) WHERE channel IN ('email', 'sms');
