DROP TABLE inbox;
DROP FUNCTION idempotency_answer, idempotency_claim;
DROP TABLE idempotency_keys;
DROP FUNCTION refuse;
REVOKE USAGE ON SCHEMA public FROM hamyon_app;
