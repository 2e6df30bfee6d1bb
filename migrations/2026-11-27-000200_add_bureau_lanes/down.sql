DROP TABLE bureau_unmatched_results, bureau_downloads;
ALTER TABLE bureau_submissions
    DROP CONSTRAINT bureau_submissions_lane_check,
    DROP COLUMN failed_attempts,
    DROP COLUMN data_state,
    DROP COLUMN data_sequence,
    DROP COLUMN lane;
DROP TABLE bureau_lanes;
