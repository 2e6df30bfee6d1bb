-- A lane: one provider's account at one system of the ministry. Every file over it has the next number, without gaps.
CREATE TABLE bureau_lanes (
    -- such as miit:110000123
    code text PRIMARY KEY,
    -- highest number that the bureau is known to have
    last_sequence_no bigint NOT NULL DEFAULT 0,
    -- false: the bureau's own record must be asked before the next number is given
    is_in_step boolean NOT NULL DEFAULT false,
    -- nothing is sent or fetched until a person resumes a bureau
    stopped_at timestamptz,
    stop_reason text
);

ALTER TABLE bureau_submissions
    ADD COLUMN lane text REFERENCES bureau_lanes (code),
    -- number of the file in its lane; kept until the bureau has it, so that a filing never goes under two
    ADD COLUMN data_sequence bigint,
    -- reserved: sent or about to be; arrived: the bureau has it; missing: the bureau has lost it and wants it again
    ADD COLUMN data_state text CHECK (data_state IN ('reserved', 'arrived', 'missing')),
    -- attempts in a row that failed for certain because of this package
    ADD COLUMN failed_attempts integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT bureau_submissions_lane_check
        CHECK ((lane IS NULL) = (data_sequence IS NULL) AND (lane IS NULL) = (data_state IS NULL));
-- A number belongs to one submission, and at most one waits for its arrival.
CREATE UNIQUE INDEX bureau_submissions_lane_key ON bureau_submissions (lane, data_sequence);
CREATE UNIQUE INDEX bureau_submissions_reserved_key ON bureau_submissions (lane) WHERE data_state = 'reserved';

-- Files that the bureau sent, each acknowledged after everything in it was recorded.
CREATE TABLE bureau_downloads (
    lane text NOT NULL REFERENCES bureau_lanes (code),
    file_name text NOT NULL,
    row_count integer NOT NULL,
    received_at timestamptz NOT NULL,
    acknowledged_at timestamptz,
    PRIMARY KEY (lane, file_name)
);

-- What the bureau said and could not be applied: kept until an operator has looked at it.
CREATE TABLE bureau_unmatched_results (
    id uuid PRIMARY KEY,
    lane text NOT NULL REFERENCES bureau_lanes (code),
    file_name text NOT NULL,
    external_reference text NOT NULL,
    submission_id uuid REFERENCES bureau_submissions (id),
    order_no text NOT NULL,
    icp_number text NOT NULL,
    result_code text NOT NULL,
    result_text text,
    -- why: an error code of ours, or unknown_order, unknown_code
    reason text NOT NULL,
    received_at timestamptz NOT NULL,
    resolved_at timestamptz,
    resolved_by uuid REFERENCES users (id),
    resolution text,
    UNIQUE (lane, external_reference)
);
CREATE INDEX bureau_unmatched_results_open_idx ON bureau_unmatched_results (received_at, id) WHERE resolved_at IS NULL;
