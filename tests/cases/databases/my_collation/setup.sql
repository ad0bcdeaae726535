drop table if exists co; create table co(id int,n varchar(20)) collate utf8mb4_general_ci; insert into co values(1,'Café'),(2,'café'),(3,'cafe '),(4,'cafe'),(5,'Straße'),(6,'STRAẞE'),(7,'İSTANBUL');
