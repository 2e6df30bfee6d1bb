-- Sessions of clients go. A client that has done anything stays referred to, and stops this: nothing is lost in silence.
DELETE FROM sessions WHERE client = 'api';
DROP INDEX sessions_api_client_secret_id_idx;
ALTER TABLE sessions DROP CONSTRAINT sessions_client_check;
ALTER TABLE sessions ADD CONSTRAINT sessions_client_check CHECK (client IN ('app', 'docs'));
ALTER TABLE sessions DROP COLUMN api_client_secret_id;
DELETE FROM users WHERE api_client_id IS NOT NULL;
ALTER TABLE users DROP CONSTRAINT users_api_client_id_check;
ALTER TABLE users DROP CONSTRAINT users_kind_check;
ALTER TABLE users DROP COLUMN api_client_id;
ALTER TABLE users ADD CONSTRAINT users_check CHECK ((account_id IS NULL) <> (roles = '{}'));
DROP TABLE api_client_secrets, api_clients;
