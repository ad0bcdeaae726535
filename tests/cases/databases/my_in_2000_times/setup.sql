drop table if exists x1; create table x1 as select seq as id, cast(timestamp '2025-01-01 00:00:00'+interval seq minute as datetime) as ts from seq_0_to_1499;
