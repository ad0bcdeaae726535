drop table if exists tu; create table tu(id int,ts timestamp(6) null,d datetime(6)); set time_zone='+03:00'; insert into tu values(1,'2024-07-01 13:00:00.5','2024-07-01 23:59:59.999999');
