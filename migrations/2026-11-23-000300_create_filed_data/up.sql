-- Filed data: subjects, websites and their filed versions.

CREATE TABLE subjects (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL UNIQUE REFERENCES accounts (id),
    icp_number text NOT NULL UNIQUE,
    name text NOT NULL,
    nature text NOT NULL,
    certificate_type text NOT NULL,
    certificate_number bytea NOT NULL,
    certificate_address bytea NOT NULL,
    certificate_valid_from date,
    certificate_valid_to date,
    certificate_long_term boolean NOT NULL DEFAULT false,
    investor text,
    legal_representative_name text,
    legal_representative_certificate_type text,
    legal_representative_certificate_number bytea,
    person_name text NOT NULL,
    person_certificate_type text NOT NULL,
    person_certificate_number bytea NOT NULL,
    person_certificate_valid_from date,
    person_certificate_valid_to date,
    person_certificate_long_term boolean NOT NULL DEFAULT false,
    person_mobile bytea NOT NULL,
    person_mobile_hash bytea GENERATED ALWAYS AS (substring(person_mobile FROM 1 FOR 32)) STORED,
    person_emergency_phone bytea NOT NULL,
    person_office_phone bytea,
    person_email bytea NOT NULL,
    person_email_hash bytea GENERATED ALWAYS AS (substring(person_email FROM 1 FOR 32)) STORED,
    province_code text NOT NULL,
    city_code text NOT NULL,
    district_code text,
    correspondence_address bytea NOT NULL,
    remark text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX subjects_person_mobile_hash_idx ON subjects (person_mobile_hash);
CREATE INDEX subjects_person_email_hash_idx ON subjects (person_email_hash);

-- What a website says about itself. A filed version, a draft and each frozen revision refer to one row.
-- Every column may be empty: drafts are.
CREATE TABLE website_contents (
    id uuid PRIMARY KEY,
    name text,
    home_url text,
    -- [{name, unicode_name, expires_on}]
    domains jsonb NOT NULL,
    service_content jsonb NOT NULL,
    languages jsonb NOT NULL,
    -- null: not answered; []: explicitly none; else [{type, approval_no, valid_to}]
    pre_approvals jsonb,
    person_name text,
    person_certificate_type text,
    person_certificate_number bytea,
    person_certificate_valid_from date,
    person_certificate_valid_to date,
    person_certificate_long_term boolean,
    person_mobile bytea,
    person_mobile_hash bytea GENERATED ALWAYS AS (substring(person_mobile FROM 1 FOR 32)) STORED,
    person_emergency_phone bytea,
    person_office_phone bytea,
    person_email bytea,
    person_email_hash bytea GENERATED ALWAYS AS (substring(person_email FROM 1 FOR 32)) STORED,
    same_as_subject_responsible_person boolean,
    remark text
);
CREATE INDEX website_contents_person_mobile_hash_idx ON website_contents (person_mobile_hash);
CREATE INDEX website_contents_person_email_hash_idx ON website_contents (person_email_hash);

CREATE TABLE websites (
    id uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES accounts (id),
    subject_id uuid NOT NULL REFERENCES subjects (id),
    icp_number text NOT NULL UNIQUE,
    service_kind text NOT NULL,
    -- [{methods, server_locations, ip_ranges}]: read-only beside the content
    access jsonb NOT NULL,
    -- number of the filed version in force
    filed_version integer NOT NULL,
    content_id uuid NOT NULL REFERENCES website_contents (id),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX websites_account_id_idx ON websites (account_id, id);
CREATE INDEX websites_subject_id_idx ON websites (subject_id);
CREATE INDEX websites_content_id_idx ON websites (content_id);

CREATE TABLE website_versions (
    website_id uuid NOT NULL REFERENCES websites (id),
    version_no integer NOT NULL,
    content_id uuid NOT NULL REFERENCES website_contents (id),
    -- null: came with an import; the foreign key is added with the filings
    filing_id uuid,
    effective_at timestamptz NOT NULL,
    PRIMARY KEY (website_id, version_no)
);
