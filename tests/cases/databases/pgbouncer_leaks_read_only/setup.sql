drop schema if exists tb cascade; create schema tb; create table tb.t(id int, tz timestamptz);
insert into tb.t values (1, '2024-07-01 10:00+00');
create role databases_pgb login; grant usage on schema tb to databases_pgb; grant all on tb.t to databases_pgb;
