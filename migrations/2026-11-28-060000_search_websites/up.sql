SET LOCAL lock_timeout = '3s';

-- What the search box of the websites' list looks at: name and domains of the content in force. The content lies in another table,
-- and its domains in a JSON list, which no index can search by their beginnings.
ALTER TABLE websites ADD COLUMN name text, ADD COLUMN domain_names text[] NOT NULL DEFAULT '{}';
-- Here and not in the program, so that no way of putting another content in force can forget it. Filed content never changes itself.
CREATE FUNCTION copy_website_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT content.name, ARRAY(
        SELECT DISTINCT lower(spelling)
        FROM jsonb_array_elements(content.domains) AS domain,
            LATERAL (VALUES (domain ->> 'name'), (domain ->> 'unicode_name')) AS written (spelling)
        WHERE spelling <> '')
    INTO STRICT NEW.name, NEW.domain_names
    FROM website_contents AS content WHERE content.id = NEW.content_id;
    RETURN NEW;
END $$;
CREATE TRIGGER websites_copy_names BEFORE INSERT OR UPDATE OF content_id ON websites
    FOR EACH ROW EXECUTE FUNCTION copy_website_names();
UPDATE websites SET content_id = content_id;

CREATE INDEX websites_name_idx ON websites (name text_pattern_ops);
CREATE INDEX websites_icp_number_idx ON websites (icp_number text_pattern_ops);
-- A domain as a word: GIN finds words by their beginnings.
CREATE INDEX websites_domain_words_idx ON websites USING gin (array_to_tsvector(domain_names));
CREATE INDEX filings_domain_words_idx ON filings USING gin (array_to_tsvector(array_remove(domain_names, '')));
