-- Work for later: one row a job until it is done, so the table stays small. Read before a workspace is known: no row-level security.

create table jobs (
  id uuid primary key,
  workspace_id uuid references workspaces on delete cascade,
  kind text collate pg_c_utf8 not null,
  payload jsonb not null default '{}',
  priority integer not null default 0,
  run_at timestamptz not null default now(),
  -- Set on the standing job of a schedule: it runs again after so long instead of being removed.
  every interval,
  -- Both null until a worker takes the job. Whoever shows the token before `lease_until` is over may write.
  lease_token uuid,
  lease_until timestamptz,
  cancel_requested boolean not null default false,
  attempts integer not null default 0,
  failures integer not null default 0,
  last_error text collate pg_c_utf8,
  created_at timestamptz not null default now()
) with (fillfactor = 70);
-- Workers take the most urgent job that is due, the oldest first.
create index jobs_order on jobs (priority desc, run_at, id);
