drop table if exists cm_orders; create table cm_orders(a int);
