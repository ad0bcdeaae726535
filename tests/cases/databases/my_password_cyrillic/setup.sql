create or replace user databases_ru@'%' identified by 'Пароль№1€'; grant select on databases_my.* to databases_ru@'%';
