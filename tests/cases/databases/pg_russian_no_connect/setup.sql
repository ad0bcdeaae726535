drop role if exists databases_out; create role databases_out login password 'pw';
revoke connect on database template1 from public;
