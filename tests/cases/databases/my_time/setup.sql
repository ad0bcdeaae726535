drop table if exists ti; create table ti(t time); insert into ti values('838:59:59'),('-12:30:00'),('00:00:01');
