DROP TABLE rejection_items, rejections, filing_revision_attachments, attachments, filing_notes, filing_events, filing_revisions,
    filing_participants;
ALTER TABLE website_versions DROP CONSTRAINT website_versions_filing_id_fkey;
DROP TABLE filings;
DROP SEQUENCE filing_order_no_seq;
