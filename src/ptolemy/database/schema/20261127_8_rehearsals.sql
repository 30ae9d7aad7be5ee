-- A backup that is restored on trial, exported again and compared: the job as its user sees it.
create table rehearsals (
  workspace_id uuid not null,
  id uuid not null,
  status text collate pg_c_utf8 not null,
  upload_id uuid,
  backup_id uuid,
  file_name text collate pg_c_utf8,
  file_size bigint not null,
  sha256 text collate pg_c_utf8 not null,
  rows_restored bigint not null,
  result text collate pg_c_utf8,
  findings jsonb not null,
  files jsonb not null,
  seconds jsonb not null,
  error text collate pg_c_utf8,
  created_by uuid,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
