SET LOCAL lock_timeout = '3s';

-- What tests/api/plans.rs found: filters and lists that read a whole table or sorted more than a page.
CREATE INDEX subjects_created_idx ON subjects (created_at, id);
CREATE INDEX subjects_name_idx ON subjects (name text_pattern_ops);
CREATE INDEX subjects_icp_number_idx ON subjects (icp_number text_pattern_ops);
CREATE INDEX websites_created_idx ON websites (created_at, id);

CREATE INDEX filings_due_idx ON filings (due_at) WHERE due_at IS NOT NULL;
-- For staff, who look for a key without knowing whose it is.
CREATE INDEX filings_reference_idx ON filings (external_reference) WHERE external_reference IS NOT NULL;

-- Few accounts and users are disabled, and few users have roles.
CREATE INDEX accounts_disabled_idx ON accounts (created_at, id) WHERE disabled_at IS NOT NULL;
CREATE INDEX users_disabled_idx ON users (created_at, id) WHERE disabled_at IS NOT NULL;
CREATE INDEX users_roles_idx ON users USING gin (roles) WITH (fastupdate = off);

CREATE INDEX audit_events_object_idx ON audit_events (object_id, at, id) WHERE object_id IS NOT NULL;

CREATE INDEX notifications_filing_idx ON notifications (filing_id, created_at, id) WHERE filing_id IS NOT NULL;
CREATE INDEX notifications_user_idx ON notifications (user_id, created_at, id);
-- Deliveries that need attention are few; those that went well are found by the order of the list.
CREATE INDEX notifications_state_idx ON notifications (state, created_at, id) WHERE state <> 'sent';
CREATE INDEX notifications_receipt_idx ON notifications (receipt, created_at, id) WHERE receipt IS NOT NULL;

-- Few tasks are escalated.
CREATE INDEX review_tasks_escalated_idx ON review_tasks (is_escalated, due_at, id) WHERE state IN ('open', 'claimed');

-- Whether a content is frozen is asked at every edit; without it each edit read all revisions (found by ./dev bench).
CREATE INDEX filing_revisions_content_idx ON filing_revisions (content_id);
