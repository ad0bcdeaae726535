create or replace user databases_rw@'%' identified by 'Пароль'; grant select on databases_my.* to databases_rw@'%';
