DROP INDEX filings_domain_words_idx;
DROP INDEX websites_icp_number_idx;
DROP TRIGGER websites_copy_names ON websites;
DROP FUNCTION copy_website_names;
ALTER TABLE websites DROP COLUMN name, DROP COLUMN domain_names;
