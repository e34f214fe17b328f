DROP FUNCTION queue_add;
DROP TABLE pgqueuer_statistics, pgqueuer_schedules, pgqueuer_log, pgqueuer;
DROP TYPE pgqueuer_status;
