-- What happened, in the transaction that did it. The feed's order is (epoch, xid, id): readers see only transactions below
-- the snapshot's xmin, so nothing appears later before what was already seen. `epoch` grows when a database is loaded from
-- a dump, because transaction numbers start anew there.
create table events (
  workspace_id uuid not null,
  id uuid not null,
  epoch integer not null,
  xid xid8 not null default pg_current_xact_id(),
  event_type text collate pg_c_utf8 not null,
  resource_type text collate pg_c_utf8 not null,
  resource_id uuid not null,
  resource_identifier text collate pg_c_utf8,
  changes jsonb not null,
  actor_type text collate pg_c_utf8 not null,
  actor_id uuid,
  actor_name text collate pg_c_utf8 not null,
  request_id text collate pg_c_utf8,
  created_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
create index events_feed on events (workspace_id, epoch, xid, id);

-- A ledger of what came and went, by kind and day; its sum is the count of database items. No row is shared by writers.
create table item_counts (
  workspace_id uuid not null,
  id uuid not null,
  kind text collate pg_c_utf8 not null,
  day date not null default (now() at time zone 'UTC')::date,
  items bigint not null,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
