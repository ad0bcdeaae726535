drop table if exists mp; create table mp(id int,t longtext,t2 longtext,l int as (length(t))); insert into mp(id,t,t2) values(1,repeat('x',700000),repeat('y',700000));
