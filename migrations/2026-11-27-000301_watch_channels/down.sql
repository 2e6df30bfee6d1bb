DROP TABLE undeliverable_contacts;
DROP TABLE channel_breakers;
DROP INDEX notifications_attempted_idx;
ALTER TABLE notifications DROP COLUMN attempted_at;
