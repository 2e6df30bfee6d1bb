DROP INDEX backdrop_shipments_tracking_idx;
ALTER TABLE backdrop_shipments DROP COLUMN tracked_at;
