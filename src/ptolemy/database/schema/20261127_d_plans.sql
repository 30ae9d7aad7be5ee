-- The plans as the operator has configured them: the server writes them here when it starts. No number is no limit.
-- Read before a workspace is known, with its token: no row-level security. `applied` says that the workspaces of the plan
-- have its numbers.
create table plans (
  name text collate pg_c_utf8 primary key,
  items bigint,
  calls bigint,
  seats bigint,
  webhooks bigint,
  item_overage boolean not null default false,
  call_overage boolean not null default false,
  events_days bigint,
  applied boolean not null default true
);
insert into plans (name) values ('starter'), ('growth'), ('enterprise');

-- How many items a workspace has whose plan limits them, exactly: the last row that a transaction of it locks. Workspaces
-- without a limit have none. `items` is null until those transactions have ended that don't know of the row.
create table item_quotas (
  workspace_id uuid primary key,
  items bigint,
  item_limit bigint not null,
  overage boolean not null,
  recorded_at timestamptz not null default now()
) with (fillfactor = 50);

-- Calls by day (UTC) and kind, robots' requests and deliveries: what was used, written every few seconds.
create table call_counts (
  workspace_id uuid not null,
  day date not null,
  kind text collate pg_c_utf8 not null,
  calls bigint not null,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, day, kind)
) with (fillfactor = 70);

-- Calls of a month that are made, or leased to a process that may let them through: where the plan limits them.
-- `granted` is the last lease.
create table call_quotas (
  workspace_id uuid not null,
  month date not null,
  taken bigint not null,
  granted bigint not null default 0,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, month)
) with (fillfactor = 50);

-- What went beyond the plan, at its most in a month; `told` says that there is an event of it.
create table plan_overage (
  workspace_id uuid not null,
  month date not null,
  kind text collate pg_c_utf8 not null,
  amount bigint not null,
  told boolean not null default false,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, month, kind)
);

-- When the bucket of a token is full again. Not logged: after a crash every bucket is full.
create unlogged table token_bursts (
  token_id uuid primary key,
  full_at timestamptz not null
) with (fillfactor = 50);

-- Whether the ledger's transaction had to keep to a quota.
alter table item_counts add column limited boolean not null default false;
