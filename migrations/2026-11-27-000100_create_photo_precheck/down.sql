DROP TABLE photo_precheck_settings;
DROP TABLE photo_fingerprints;
ALTER TABLE photo_verifications
    DROP COLUMN preview_key,
    DROP COLUMN original_deleted_at,
    DROP COLUMN original_key;
DELETE FROM catalogue_rows WHERE catalogue = 'backdrop_profiles';
