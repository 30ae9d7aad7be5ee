-- Backups that are restored into a new workspace, which has nobody in it until it is there as a whole.

-- The job that brings the workspace back: so long its slug is taken, and that is all there is of it.
alter table workspaces add column restored_by uuid;

create table backup_restores (
  workspace_id uuid not null,
  id uuid not null,
  status text collate pg_c_utf8 not null,
  backup_id uuid not null,
  slug text collate pg_c_utf8 not null,
  name text collate pg_c_utf8 not null,
  new_workspace_id uuid not null,
  rows_restored bigint not null,
  rows_failed bigint not null,
  files jsonb not null,
  error text collate pg_c_utf8,
  created_by uuid,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
