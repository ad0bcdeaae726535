"""What the driver asks of PostgreSQL besides rows: how a transaction begins, and what the catalogue tells."""

from __future__ import annotations

BEGIN = """
BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY;
SELECT set_config('TimeZone', %(timezone)s, true), set_config('DateStyle', 'ISO, YMD', true),
  set_config('IntervalStyle', 'iso_8601', true), set_config('extra_float_digits', '1', true),
  set_config('standard_conforming_strings', 'on', true), set_config('client_encoding', 'UTF8', true),
  set_config('lock_timeout', %(lock_milliseconds)s, true), set_config('statement_timeout', %(milliseconds)s, true),
  set_config('idle_in_transaction_session_timeout', %(milliseconds)s, true),
  (SELECT set_config(name, '2000', true) FROM pg_settings
   WHERE name = 'client_connection_check_interval' AND version() LIKE '%%-linux-%%'),
  encoding,
  CASE WHEN lower('I' COLLATE pg_catalog."default") = 'i'
    AND (lower(small COLLATE pg_catalog."default") <> small OR lower(large COLLATE pg_catalog."default") <> large)
  THEN 'pg_catalog."default"'
  WHEN encoding NOT IN ('SQL_ASCII', 'LATIN10', 'WIN874', 'EUC_JIS_2004', 'MULE_INTERNAL') THEN
    (SELECT 'pg_catalog."und-x-icu"' FROM pg_collation
     WHERE collname = 'und-x-icu' AND collnamespace = 'pg_catalog'::regnamespace) END
FROM (
  SELECT encoding, chr(CASE WHEN has_letters THEN 196 ELSE 97 END) AS large,
    chr(CASE WHEN has_letters THEN 228 ELSE 97 END) AS small
  FROM (
    SELECT getdatabaseencoding() AS encoding,
      getdatabaseencoding() = 'UTF8' OR pg_encoding_max_length(pg_char_to_encoding(getdatabaseencoding())) = 1
        AS has_letters
  ) known
) letters;
"""
"""Begins a transaction that reads only; its last two columns are the database's encoding, and a collation whose
`lower` knows more letters than those of ASCII, or NULL.

Everything is set for the transaction: behind a pooler the server's session is somebody else's a moment later. The
letters 196 and 228 are the two cases of one letter in UTF-8 and in nearly all encodings of one byte. Only on Linux a
server can look whether its client is still there.
"""

#: Names and comments come as bytes, in the encoding that `ServerEncoding.sent` tells: no odd one loses the list.
TABLES = """
SELECT convert_to(n.nspname, sent), convert_to(c.relname, sent), c.relkind, pg_table_is_visible(c.oid),
  convert_to(coalesce(obj_description(c.oid, 'pg_class'), ''), sent),
  (c.relispartition OR n.nspname = '_timescaledb_internal') AND EXISTS (
    SELECT FROM pg_inherits i JOIN pg_class whole ON whole.oid = i.inhparent
    WHERE i.inhrelid = c.oid AND has_schema_privilege(whole.relnamespace, 'USAGE')
      AND (has_table_privilege(whole.oid, 'SELECT') OR has_any_column_privilege(whole.oid, 'SELECT')))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN (
  SELECT CASE pg_encoding_max_length(pg_char_to_encoding(getdatabaseencoding()))
    WHEN 1 THEN getdatabaseencoding() ELSE 'UTF8' END AS sent) e
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND n.nspname NOT LIKE 'pg\\_temp\\_%' AND has_schema_privilege(n.oid, 'USAGE')
  AND (has_table_privilege(c.oid, 'SELECT') OR has_any_column_privilege(c.oid, 'SELECT'))
"""

COLUMNS = """
WITH RECURSIVE wanted AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = %s AND c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
), base AS (
  SELECT a.attnum, a.atttypid AS type FROM pg_attribute a JOIN wanted ON a.attrelid = wanted.oid
  UNION
  SELECT base.attnum, t.typbasetype FROM base JOIN pg_type t ON t.oid = base.type WHERE t.typtype = 'd'
)
SELECT convert_to(a.attname, sent), convert_to(format_type(a.atttypid, a.atttypmod), sent),
  CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'array'
    WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname ELSE '' END,
  a.attnotnull, convert_to(coalesce(col_description(a.attrelid, a.attnum), ''), sent)
FROM pg_attribute a JOIN wanted ON a.attrelid = wanted.oid
  JOIN base ON base.attnum = a.attnum JOIN pg_type t ON t.oid = base.type AND t.typtype <> 'd' CROSS JOIN (
  SELECT CASE pg_encoding_max_length(pg_char_to_encoding(getdatabaseencoding()))
    WHEN 1 THEN getdatabaseencoding() ELSE 'UTF8' END AS sent) e
WHERE a.attnum > 0 AND NOT a.attisdropped AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
ORDER BY a.attnum
"""
"""The columns of one table; the third tells the type that domains lead to, if it is one of the server's own."""

# Whoever waits for a client that takes nothing computes nothing.
IS_COMPUTING = """
SELECT state = 'active' AND wait_event_type IS DISTINCT FROM 'Client' FROM pg_catalog.pg_stat_activity WHERE pid = %s
"""
