drop table if exists public.latin_order; create table public.latin_order(id int, n text); insert into public.latin_order values(1,'abc'),(2,'Müller'),(3,chr(255)),(4,''),(5,null);
