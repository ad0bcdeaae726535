drop table if exists x8; create table x8(n varchar(20)); insert into x8 values('İSTANBUL');
