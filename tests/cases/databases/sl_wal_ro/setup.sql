create table t(a int); insert into t values(1);
pragma journal_mode=wal; insert into t values(2);
