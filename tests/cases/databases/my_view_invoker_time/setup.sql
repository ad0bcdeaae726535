create or replace view y2 as select now() as n, timestampdiff(hour,utc_timestamp(),now()) as diff;
