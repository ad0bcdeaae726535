drop table if exists my_zone_gmt; create table my_zone_gmt(id int, ts timestamp null); set time_zone = '+00:00'; insert into my_zone_gmt values (1, '2024-07-01 10:00:00'), (2, '2024-07-01 21:00:00');
