create or replace user databases_ed@'%' identified via ed25519 using password('pw'); grant select on databases_my.* to databases_ed@'%';
