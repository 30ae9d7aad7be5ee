-- Backups that run by themselves: what is wanted, and what became of it.

-- When to back up, where to, for how long to keep it, and how to prove it.
create table backup_policies (
  workspace_id uuid not null,
  id uuid not null,
  name text collate pg_c_utf8 not null,
  schedule text collate pg_c_utf8 not null,
  timezone text collate pg_c_utf8 not null,
  destination text collate pg_c_utf8 not null,
  format text collate pg_c_utf8 not null,
  keep_last bigint,
  keep_days bigint,
  verify text collate pg_c_utf8 not null,
  active boolean not null,
  scheduled_since timestamptz not null,
  next_run_at timestamptz,
  overdue_since timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
create unique index backup_policies_unique on backup_policies (workspace_id, name);

-- One run. A removed policy leaves its runs, so there is no foreign key.
create table backups (
  workspace_id uuid not null,
  id uuid not null,
  policy_id uuid,
  policy_name text collate pg_c_utf8,
  status text collate pg_c_utf8 not null,
  destination text collate pg_c_utf8,
  format text collate pg_c_utf8 not null,
  due_at timestamptz,
  taken_at timestamptz,
  row_count bigint,
  files jsonb,
  file_size bigint,
  sha256 text collate pg_c_utf8,
  location text collate pg_c_utf8,
  file_key text collate pg_c_utf8,
  upload_attempts bigint not null,
  verify text collate pg_c_utf8 not null,
  verified_at timestamptz,
  verification jsonb,
  error text collate pg_c_utf8,
  created_by uuid,
  started_at timestamptz,
  completed_at timestamptz,
  file_expires_at timestamptz,
  removed_at timestamptz,
  removed_reason text collate pg_c_utf8,
  spared_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
-- The runs of a policy, the newest first: its last run, its newest verified one, its retention.
create index backups_policy on backups (workspace_id, policy_id, id);
-- Never two runs of one policy at a time.
create unique index backups_running on backups (workspace_id, policy_id) where status in ('queued', 'processing');
