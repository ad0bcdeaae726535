drop role if exists databases_many; create role databases_many login password 'pw' connection limit 0;
