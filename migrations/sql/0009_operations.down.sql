DROP INDEX login_sessions_of_user;
DROP INDEX orders_created;
DROP TABLE operation_runs;
