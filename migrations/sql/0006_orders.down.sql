DROP FUNCTION job_claim, order_open;
DROP TABLE jobs, orders;
