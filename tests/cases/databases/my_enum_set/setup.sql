drop table if exists es; create table es(id int,e enum('два','1','b'),s set('x','y'),j json); insert into es values(1,'1','x,y','{"k": "Жук"}'),(2,'два','x','[1]');
