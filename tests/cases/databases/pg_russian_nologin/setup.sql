drop role if exists databases_group; create role databases_group nologin password 'pw';
