DROP FUNCTION user_standing;
DROP TABLE notices, audit_log, spent_proofs, refresh_tokens, login_sessions, service_keys, roles, users;
