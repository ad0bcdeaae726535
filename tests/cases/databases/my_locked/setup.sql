drop table if exists x5; create table x5(a int); insert into x5 values(1);
