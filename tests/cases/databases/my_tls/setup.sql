drop table if exists tl; create table tl(s varchar(20) character set utf8mb4); insert into tl values('Привет');
