drop table if exists mpart; create table mpart(a int) partition by hash(a) partitions 3; insert into mpart values(1),(2),(3);
