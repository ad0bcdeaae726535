drop table if exists fl; create table fl(id int,f float,p float(7,2)); insert into fl values(1,19.99,19.99),(2,0.1,0.1);
