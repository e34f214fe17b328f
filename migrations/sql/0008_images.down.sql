DROP FUNCTION images_submit;
DROP TABLE uploads;
