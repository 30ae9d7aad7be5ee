-- Custom fields compared by their data type. Stored as text, a value becomes null where it isn't of the type, so that no
-- comparison can fail; and each function is immutable, so that an index may hold what it answers.
create function custom_number(shown text) returns numeric
language sql immutable parallel safe
return case when shown ~ '^-?[0-9]+([.][0-9]+)?$' then shown::numeric end;

create function custom_boolean(shown text) returns boolean
language sql immutable parallel safe
return case shown when 'true' then true when 'false' then false end;

-- The pattern is exact by the calendar: `make_date` refuses a day that there wasn't, and `::date` depends on a setting.
create function custom_date(shown text) returns date
language sql immutable parallel safe
return case
  when shown ~ '^(?!0000)([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)$'
  then make_date(substr(shown, 1, 4)::integer, substr(shown, 6, 2)::integer, substr(shown, 9, 2)::integer)
end;

-- The words of a text in lower case, a blank between them: what stands between letters and digits divides. A lexeme has
-- 2,046 bytes at most, so the words of long texts are cut.
create function search_text(searched text) returns text
language sql immutable parallel safe
return case
  when octet_length(searched) <= 2000
  then btrim(regexp_replace(lower(searched collate pg_c_utf8), '[^[:alnum:]]+', ' ', 'g'))
  else btrim(regexp_replace(regexp_replace(lower(searched collate pg_c_utf8), '[^[:alnum:]]+', ' ', 'g'), '([[:alnum:]]{250})', '\1 ', 'g'))
end;

-- The same as lexemes, each behind the id of its workspace: so the index of all workspaces finds the words of one alone.
create function search_words(workspace_id uuid, searched text) returns tsvector
language sql immutable parallel safe
return array_to_tsvector(string_to_array(
  replace(workspace_id::text, '-', '')
    || replace(search_text(searched), ' ', ' ' || replace(workspace_id::text, '-', '')),
  ' '
));

-- What finds the texts in which each word of `searched` is the beginning of a word; null where it has no words.
create function search_query(workspace_id uuid, searched text) returns tsquery
language sql immutable parallel safe
return case
  when search_text(searched) <> ''
  then (
    '''' || replace(workspace_id::text, '-', '')
      || replace(search_text(searched), ' ', ''':* & ''' || replace(workspace_id::text, '-', '')) || ''':*'
  )::tsquery
end;

-- `q` on the resources of which a workspace may have a hundred thousand records.
create index instruments_words on instruments using gin (search_words(workspace_id, identifier || ' ' || name));
create index markets_words on markets using gin (search_words(workspace_id, identifier || ' ' || name));
create index market_listings_words on market_listings using gin (search_words(workspace_id, coalesce(local_code, '')));

-- What records are found by, without what they hold. Under row-level security an index serves only comparisons that can't
-- leak a value, which those of numerics, of JSON and of words aren't marked as; whoever asks reads these as the owner, in
-- the workspace of the transaction, and then the records themselves under row-level security.
create view instruments_keys as
select workspace_id, id, identifier, name, type_id, field_values,
  case when extras is not null then '{}'::jsonb end as extras, created_at, updated_at, archived_at
from instruments
where workspace_id = current_setting('ptolemy.workspace_id')::uuid;

create view markets_keys as
select workspace_id, id, identifier, name, type_id, field_values,
  case when extras is not null then '{}'::jsonb end as extras, timezone, mic, created_at, updated_at, archived_at
from markets
where workspace_id = current_setting('ptolemy.workspace_id')::uuid;

create view market_listings_keys as
select workspace_id, id, instrument_id, market_id, local_code, currency, lot_size, status_id, listed_on, delisted_on,
  created_at, updated_at, archived_at
from market_listings
where workspace_id = current_setting('ptolemy.workspace_id')::uuid;

-- The indexes of custom fields: one for the records of one type, over the expression that the data type means. Asked for
-- by a filter or a sort, built by a job, dropped when nobody has asked for a while.
create table custom_field_indexes (
  workspace_id uuid not null,
  id uuid not null,
  table_name text collate pg_c_utf8 not null,
  type_id uuid not null,
  field_key text collate pg_c_utf8 not null,
  data_type text collate pg_c_utf8 not null,
  state text collate pg_c_utf8 not null check (state in ('wanted', 'ready', 'dropping', 'failed')),
  last_used_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  constraint custom_field_indexes_unique unique (workspace_id, table_name, type_id, field_key, data_type)
);
