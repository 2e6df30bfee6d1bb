DROP TABLE terms, catalogue_rows, audit_events, idempotency_keys, jobs;
