create or replace user databases_ew@'%' identified via ed25519 using password('Пароль'); grant select on databases_my.* to databases_ew@'%';
