drop table if exists inn; create table inn as select concat('n',seq) as s from seq_0_to_4999;
