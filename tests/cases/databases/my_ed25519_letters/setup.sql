create or replace user databases_el@'%' identified via ed25519 using password('Пароль'); grant select on databases_my.* to databases_el@'%';
