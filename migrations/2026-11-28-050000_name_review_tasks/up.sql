SET LOCAL lock_timeout = '3s';

-- What the queue shows of a task without looking anywhere else: joining five tables cost PostgreSQL more for its plan than for the rows
-- (docs/performance.md). None of it changes while the task lives: an order number never, the revision's content is frozen, and a
-- subject with a live filing is not imported anew.
ALTER TABLE review_tasks ADD COLUMN order_no text, ADD COLUMN subject_name text, ADD COLUMN website_name text;
UPDATE review_tasks SET order_no = filings.order_no, subject_name = subjects.name, website_name = website_contents.name
FROM filings, subjects, filing_revisions, website_contents
WHERE filings.id = review_tasks.filing_id AND subjects.id = filings.subject_id AND filing_revisions.id = review_tasks.revision_id
    AND website_contents.id = filing_revisions.content_id;
ALTER TABLE review_tasks ALTER COLUMN order_no SET NOT NULL, ALTER COLUMN subject_name SET NOT NULL;

-- The search box: the beginning of an order number or of a website's name.
CREATE INDEX review_tasks_order_no_idx ON review_tasks (order_no text_pattern_ops);
CREATE INDEX review_tasks_website_name_idx ON review_tasks (website_name text_pattern_ops);
