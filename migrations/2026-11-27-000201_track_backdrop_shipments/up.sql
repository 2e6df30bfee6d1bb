-- When the courier company was last asked, or last told, about a parcel.
ALTER TABLE backdrop_shipments ADD COLUMN tracked_at timestamptz;
-- Pushes name only the number.
CREATE INDEX backdrop_shipments_tracking_idx ON backdrop_shipments (tracking_number) WHERE tracking_number IS NOT NULL;
