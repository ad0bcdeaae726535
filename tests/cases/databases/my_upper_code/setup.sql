drop table if exists `Mixed Case`; create table `Mixed Case`(a int); insert into `Mixed Case` values (1);
