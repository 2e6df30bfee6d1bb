-- The rows of src/demo/volume.rs, from two temporary tables: volume_size (one row: now, applicants, regulars, subject, content) and
-- volume_people (n, mobile, email). What nobody looks for is copied from the demo's first subject and website.

SET LOCAL maintenance_work_mem = '512MB';
SET LOCAL work_mem = '256MB';

-- A row at a time into every index, and a look-up for every reference, is most of the work: indexes (but for primary keys and other
-- constraints) are built, and references checked, once at the end.
CREATE TEMPORARY TABLE volume_later ON COMMIT DROP AS
SELECT format('DROP INDEX %s', index.indexrelid::regclass) AS before, pg_get_indexdef(index.indexrelid) AS after, 1 AS turn
FROM pg_index index
WHERE index.indrelid = ANY ('{filings,filing_participants,filing_revisions,filing_events,review_tasks,notifications,audit_events,
        website_contents,websites,website_versions,subjects,accounts,users,sessions,backdrop_shipments,bureau_submissions}'::regclass[])
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = index.indexrelid)
UNION ALL
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)), 2
FROM pg_constraint
WHERE contype = 'f'
    AND conrelid = ANY ('{filings,filing_participants,filing_revisions,filing_events,review_tasks,notifications,audit_events,
        website_contents,websites,website_versions,subjects,accounts,users,sessions,backdrop_shipments,bureau_submissions}'::regclass[]);
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT before FROM volume_later ORDER BY turn DESC LOOP EXECUTE statement; END LOOP;
END $$;

CREATE FUNCTION pg_temp.volume_id(kind int, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('0193b000-0000-7000-80' || lpad(to_hex(kind), 2, '0') || '-' || lpad(to_hex(n), 12, '0'))::uuid $$;

INSERT INTO accounts (id, name, created_at, updated_at)
SELECT pg_temp.volume_id(1, n), '压测客户' || n, now, now FROM volume_people, volume_size;

INSERT INTO users (id, login, display_name, password_hash, account_id, email, email_verified_at, mobile, mobile_verified_at,
    created_at, updated_at)
SELECT pg_temp.volume_id(2, n), 'load-' || n, '张伟', hash, pg_temp.volume_id(1, n), email, now, mobile, now, now, now
FROM volume_people, volume_size;

INSERT INTO sessions (id, user_id, client, created_at)
SELECT pg_temp.volume_id(3, n), pg_temp.volume_id(2, n), 'app', now FROM volume_people, volume_size;

INSERT INTO subjects (id, account_id, icp_number, name, nature, certificate_type, certificate_number, certificate_address,
    certificate_valid_from, certificate_valid_to, certificate_long_term, investor, legal_representative_name,
    legal_representative_certificate_type, legal_representative_certificate_number, person_name, person_certificate_type,
    person_certificate_number, person_certificate_valid_from, person_certificate_valid_to, person_certificate_long_term,
    person_mobile, person_emergency_phone, person_office_phone, person_email, province_code, city_code, district_code,
    correspondence_address, created_at, updated_at)
SELECT pg_temp.volume_id(4, n), pg_temp.volume_id(1, n), '压ICP备' || lpad(n::text, 9, '0') || '号', '压测客户' || n || '有限公司',
    old.nature, old.certificate_type, old.certificate_number, old.certificate_address, old.certificate_valid_from,
    old.certificate_valid_to, old.certificate_long_term, old.investor, old.legal_representative_name,
    old.legal_representative_certificate_type, old.legal_representative_certificate_number, old.person_name,
    old.person_certificate_type, old.person_certificate_number, old.person_certificate_valid_from,
    old.person_certificate_valid_to, old.person_certificate_long_term, mobile, old.person_emergency_phone,
    old.person_office_phone, email, old.province_code, old.city_code, old.district_code, old.correspondence_address, now, now
FROM volume_people, volume_size, subjects old WHERE old.id = subject;

-- Filed contents (6), then those of the live filings (8): the same with another name.
INSERT INTO website_contents (id, name, home_url, domains, service_content, languages, pre_approvals, person_name,
    person_certificate_type, person_certificate_number, person_certificate_valid_from, person_certificate_valid_to,
    person_certificate_long_term, person_mobile, person_emergency_phone, person_office_phone, person_email,
    same_as_subject_responsible_person, remark)
SELECT pg_temp.volume_id(kind, n), '压测花店之' || CASE kind WHEN 6 THEN '家' ELSE '屋' END,
    'https://www.load-' || n || '.example.com',
    jsonb_build_array(jsonb_build_object('name', 'load-' || n || '.example.com', 'unicode_name', 'load-' || n || '.example.com',
        'expires_on', (now + interval '700 days')::date)),
    old.service_content, old.languages, old.pre_approvals, old.person_name, old.person_certificate_type,
    old.person_certificate_number, old.person_certificate_valid_from, old.person_certificate_valid_to,
    old.person_certificate_long_term, mobile, old.person_emergency_phone, old.person_office_phone, email,
    old.same_as_subject_responsible_person, old.remark
FROM volume_size, website_contents old, (VALUES (6), (8)) AS kinds (kind), volume_people
WHERE old.id = content AND (kind = 6 OR n <= applicants AND n % 20 < 17);

INSERT INTO websites (id, account_id, subject_id, icp_number, service_kind, access, filed_version, content_id, created_at,
    updated_at)
SELECT pg_temp.volume_id(5, n), pg_temp.volume_id(1, n), pg_temp.volume_id(4, n),
    '压ICP备' || lpad(n::text, 9, '0') || '号-1', 'website', '[]', 1, pg_temp.volume_id(6, n), now, now
FROM volume_people, volume_size;

INSERT INTO website_versions (website_id, version_no, content_id, effective_at)
SELECT pg_temp.volume_id(5, n), 1, pg_temp.volume_id(6, n), now FROM volume_people, volume_size;

-- Three filings each; the newest is live for 17 applicants of 20. Made one after the other, a second apart. Regular customers have
-- more, all of them earlier.
CREATE TEMPORARY TABLE volume_filings ON COMMIT DROP AS
SELECT 3 * (n - 1) + k AS f, n, k = 3 AND n % 20 < 17 AS is_live,
    CASE WHEN k < 3 THEN CASE k WHEN 1 THEN 'approved' ELSE 'abandoned' END
         WHEN n % 20 < 14 THEN 'initial_review' WHEN n % 20 < 16 THEN 'draft' WHEN n % 20 = 16 THEN 'photo_required'
         ELSE 'expired' END AS status,
    now - make_interval(secs => (3 * (applicants - n) + 3 - k)::double precision) AS at
FROM volume_size, generate_series(1, applicants) AS n, generate_series(1, 3) AS k
UNION ALL
SELECT 3 * applicants + 17 * (n - 1) + k, n, false, CASE k % 3 WHEN 0 THEN 'abandoned' ELSE 'approved' END,
    now - make_interval(secs => (3 * applicants + 17 * (regulars - n) + 18 - k)::double precision)
FROM volume_size, generate_series(1, regulars) AS n, generate_series(1, 17) AS k;

INSERT INTO filings (id, order_no, account_id, subject_id, website_id, kind, status, status_changed_at, province_code,
    base_version, base_content_id, content_id, website_name, domain_names, revision_no, version, due_at, step_expires_at,
    created_by, created_at, submitted_at, updated_at)
SELECT pg_temp.volume_id(7, f), 'BL-2026-' || lpad(f::text, 9, '0'), pg_temp.volume_id(1, n), pg_temp.volume_id(4, n),
    pg_temp.volume_id(5, n), 'website_change', status, at, '110000', 1, pg_temp.volume_id(6, n),
    CASE WHEN is_live THEN pg_temp.volume_id(8, n) ELSE pg_temp.volume_id(6, n) END, '压测花店之屋',
    ARRAY['load-' || n || '.example.com'], CASE WHEN status IN ('draft', 'expired') THEN 0 ELSE 1 END, 2,
    CASE status WHEN 'initial_review' THEN at + interval '3 days' END,
    CASE WHEN status IN ('draft', 'photo_required') THEN at + interval '45 days' END,
    pg_temp.volume_id(2, n), at, CASE WHEN status IN ('draft', 'expired') THEN NULL ELSE at END, at
FROM volume_filings;

INSERT INTO filing_participants (filing_id, user_id)
SELECT pg_temp.volume_id(7, f), pg_temp.volume_id(2, n) FROM volume_filings;

INSERT INTO filing_revisions (id, filing_id, revision_no, content_id, submitted_by, submitted_at, terms_id, consent_id,
    accepted_client, person_hash)
SELECT pg_temp.volume_id(9, f), pg_temp.volume_id(7, f), 1,
    CASE WHEN is_live THEN pg_temp.volume_id(8, n) ELSE pg_temp.volume_id(6, n) END, pg_temp.volume_id(2, n), at,
    (SELECT id FROM terms WHERE kind = 'service_terms' ORDER BY effective_at LIMIT 1),
    (SELECT id FROM terms WHERE kind = 'personal_information_consent' ORDER BY effective_at LIMIT 1), 'app',
    sha256(n::text::bytea)
FROM volume_filings WHERE status NOT IN ('draft', 'expired');

INSERT INTO review_tasks (id, filing_id, stage, state, revision_id, round, province_code, due_at, due_is_provisional, checklist,
    created_at, decided_at, order_no, subject_name, website_name)
SELECT pg_temp.volume_id(10, f), pg_temp.volume_id(7, f), 'initial_review',
    CASE status WHEN 'initial_review' THEN 'open' WHEN 'abandoned' THEN 'cancelled' ELSE 'approved' END,
    pg_temp.volume_id(9, f), 1, '110000', at + interval '3 days', false, '[]', at,
    CASE status WHEN 'initial_review' THEN NULL ELSE at END, 'BL-2026-' || lpad(f::text, 9, '0'), '压测客户' || n || '有限公司',
    '压测花店之' || CASE WHEN is_live THEN '屋' ELSE '家' END
FROM volume_filings WHERE status NOT IN ('draft', 'expired');

INSERT INTO filing_events (id, filing_id, account_id, type, visibility, at, actor_role, actor_user_id, status, filing_version, data)
SELECT pg_temp.volume_id(11, 4 * (f - 1) + e), pg_temp.volume_id(7, f), pg_temp.volume_id(1, n), type, 'applicant', at,
    'applicant', pg_temp.volume_id(2, n), event.status, e, '{}'
FROM volume_filings,
    (VALUES (1, 'filing.created', 'draft'), (2, 'filing.submitted', 'initial_review'),
        (3, 'filing.initial_review_approved', 'photo_required'), (4, 'filing.approved', 'approved')) AS event (e, type, status)
WHERE e = 1 OR volume_filings.status NOT IN ('draft', 'expired') AND e = 2
    OR volume_filings.status IN ('photo_required', 'approved') AND e = 3 OR volume_filings.status = 'approved' AND e = 4;

INSERT INTO backdrop_shipments (id, filing_id, account_id, state, recipient_name, phone, province_code, city_code, district_code,
    street_address, charged_to, carrier_code, tracking_number, created_by, requested_at, shipped_at, delivered_at, updated_at)
SELECT pg_temp.volume_id(12, f), pg_temp.volume_id(7, f), pg_temp.volume_id(1, n),
    CASE status WHEN 'approved' THEN 'delivered' ELSE 'requested' END, recipient, mobile, '110000', '110100', '110105',
    street, 'applicant', CASE status WHEN 'approved' THEN 'sf' END, CASE status WHEN 'approved' THEN 'SFL' || f END,
    pg_temp.volume_id(2, n), at, CASE status WHEN 'approved' THEN at END, CASE status WHEN 'approved' THEN at END, at
FROM volume_filings JOIN volume_people USING (n), volume_size WHERE status IN ('approved', 'photo_required');

INSERT INTO bureau_submissions (id, filing_id, revision_id, bureau_code, state, queued_at, due_at, due_is_provisional, sent_at,
    accepted_at, decided_at, updated_at)
SELECT pg_temp.volume_id(13, f), pg_temp.volume_id(7, f), pg_temp.volume_id(9, f), '110000', 'approved', at,
    at + interval '1 day', false, at, at, at, at
FROM volume_filings WHERE status = 'approved';

INSERT INTO notifications (id, user_id, filing_id, event_id, event_type, channel, state, locale, title, body, created_at, sent_at)
SELECT pg_temp.volume_id(14, 2 * f + c), pg_temp.volume_id(2, n), pg_temp.volume_id(7, f),
    pg_temp.volume_id(11, 4 * (f - 1) + 1), 'filing.created', channel, 'sent', 'zh-CN', '订单已创建', '您的备案订单已创建。', at, at
FROM volume_filings, (VALUES (0, 'inbox'), (1, 'email')) AS channels (c, channel);

INSERT INTO audit_events (id, at, actor_user_id, actor_role, action, object_type, object_id, account_id, filing_id, details)
SELECT pg_temp.volume_id(15, 4 * (f - 1) + e), at, pg_temp.volume_id(2, n), 'applicant',
    CASE e WHEN 1 THEN 'create' ELSE 'edit' END, 'filing', pg_temp.volume_id(7, f), pg_temp.volume_id(1, n),
    pg_temp.volume_id(7, f), '{}'
FROM volume_filings, generate_series(1, 2) AS e;

DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN SELECT after FROM volume_later ORDER BY turn LOOP EXECUTE statement; END LOOP;
END $$;
