-- Who is told of events, and what became of it.

create table webhooks (
  workspace_id uuid not null,
  id uuid not null,
  url text collate pg_c_utf8 not null,
  description text collate pg_c_utf8,
  active boolean not null,
  deactivated_at timestamptz,
  deactivated_reason text collate pg_c_utf8,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);

-- What an endpoint's deliveries are signed with, sealed under the server's key. The one before signs too for a while.
create table webhook_secrets (
  workspace_id uuid not null,
  webhook_id uuid not null,
  sealed bytea not null,
  sealed_before bytea,
  before_until timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, webhook_id),
  foreign key (workspace_id, webhook_id) references webhooks (workspace_id, id) on delete cascade
);

-- Which events an endpoint hears of: those of transactions that `since`, a snapshot of `epoch`, doesn't see.
create table webhook_subscriptions (
  workspace_id uuid not null,
  id uuid not null,
  webhook_id uuid not null,
  event_type text collate pg_c_utf8 not null,
  epoch integer not null,
  since text collate pg_c_utf8 not null,
  created_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  constraint webhook_subscriptions_unique unique (workspace_id, webhook_id, event_type),
  foreign key (workspace_id, webhook_id) references webhooks (workspace_id, id) on delete cascade
);

-- One event for one endpoint: the queue and the log of what was tried. No foreign keys: a removed endpoint may have a
-- million of these, which the upkeep removes in batches.
create table webhook_deliveries (
  workspace_id uuid not null,
  id uuid not null,
  webhook_id uuid not null,
  event_id uuid not null,
  event_type text collate pg_c_utf8 not null,
  resource_id uuid not null,
  status text collate pg_c_utf8 not null,
  attempts bigint not null,
  failures bigint not null,
  next_attempt_at timestamptz,
  last_attempt_at timestamptz,
  delivered_at timestamptz,
  response_status bigint,
  response_body text collate pg_c_utf8,
  error text collate pg_c_utf8,
  duration_ms bigint,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
create unique index webhook_deliveries_unique on webhook_deliveries (workspace_id, webhook_id, event_id);
-- The queue of one endpoint.
create index webhook_deliveries_pending on webhook_deliveries (workspace_id, webhook_id, next_attempt_at, id) where status = 'pending';
-- The log of one endpoint, newest first.
create index webhook_deliveries_log on webhook_deliveries (workspace_id, webhook_id, id);

-- How far the events of each workspace with an active endpoint were read: those of the transactions that `seen` sees, and,
-- while `reading` is being read, those of its transactions up to (after_xid, after_id). Read before a workspace is known:
-- no row-level security. Whoever shows the token before `lease_until` is over works on the workspace.
create table webhook_feeds (
  workspace_id uuid primary key references workspaces on delete cascade,
  wanted boolean not null default false,
  epoch integer not null,
  seen text collate pg_c_utf8 not null,
  reading text collate pg_c_utf8,
  after_xid xid8,
  after_id uuid,
  due_at timestamptz not null default now(),
  lease_token uuid,
  lease_until timestamptz
) with (fillfactor = 70);
-- Workers take the workspaces that are due.
create index webhook_feeds_due on webhook_feeds (due_at) where wanted;
