-- The photo pre-check looks at the picture itself (docs: domain section 6).

ALTER TABLE photo_verifications
    -- the file exactly as it came; `object_key` is what reviewers and the bureau get, without place and serial numbers
    ADD COLUMN original_key text UNIQUE,
    ADD COLUMN original_deleted_at timestamptz,
    -- drawing of what the check saw
    ADD COLUMN preview_key text UNIQUE;
-- Originals that are still kept, for the job that ends them.
CREATE INDEX photo_verifications_original_idx ON photo_verifications (filing_id) WHERE original_key IS NOT NULL;

-- What a picture looks like, in some hundred bits: near equal for copies of one picture. It outlives the picture and shows nothing.
CREATE TABLE photo_fingerprints (
    photo_verification_id uuid PRIMARY KEY REFERENCES photo_verifications (id),
    -- the order in which they came: written under a lock, so that of two copies exactly one was first
    no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    words bigint[] NOT NULL
);

-- What a finding does, where it is not what the program ships with.
CREATE TABLE photo_precheck_settings (
    code text PRIMARY KEY,
    mode text NOT NULL CHECK (mode IN ('block', 'warn', 'off')),
    changed_by uuid NOT NULL REFERENCES users (id),
    changed_at timestamptz NOT NULL
);
