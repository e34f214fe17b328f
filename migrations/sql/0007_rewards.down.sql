DROP FUNCTION trial_reserve;
DROP TABLE trial_uses;
