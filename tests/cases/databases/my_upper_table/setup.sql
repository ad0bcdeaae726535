drop table if exists mixedcase; create table MixedCase(a int); insert into mixedcase values(1);
