-- Exports and imports as their users see them; the queue has rows of its own in `jobs`, under the same ids.

-- One file of one resource type, as of one instant.
create table exports (
  workspace_id uuid not null,
  id uuid not null,
  resource_type text collate pg_c_utf8 not null,
  format text collate pg_c_utf8 not null,
  compression text collate pg_c_utf8,
  include_archived boolean not null,
  filter jsonb,
  status text collate pg_c_utf8 not null,
  row_count bigint,
  rows_written bigint not null,
  file_size bigint,
  sha256 text collate pg_c_utf8,
  error text collate pg_c_utf8,
  created_by uuid,
  started_at timestamptz,
  completed_at timestamptz,
  file_expires_at timestamptz,
  file_removed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);

-- One file on its way into the workspace.
create table imports (
  workspace_id uuid not null,
  id uuid not null,
  resource_type text collate pg_c_utf8 not null,
  format text collate pg_c_utf8,
  status text collate pg_c_utf8 not null,
  on_error text collate pg_c_utf8 not null,
  dry_run boolean not null,
  file_name text collate pg_c_utf8,
  file_size bigint not null,
  sha256 text collate pg_c_utf8 not null,
  row_count bigint,
  rows_processed bigint not null,
  rows_imported bigint not null,
  rows_updated bigint not null,
  rows_failed bigint not null,
  error_summary jsonb not null,
  error text collate pg_c_utf8,
  created_by uuid,
  started_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
-- A file that is being imported already gets a warning.
create index imports_sha256 on imports (workspace_id, sha256) where status in ('queued', 'processing');

-- Every row that an import refused, with the reason.
create table import_errors (
  workspace_id uuid not null,
  import_id uuid not null,
  id uuid not null,
  "row" bigint not null,
  line bigint,
  field text collate pg_c_utf8,
  code text collate pg_c_utf8 not null,
  message text collate pg_c_utf8 not null,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, import_id) references imports (workspace_id, id) on delete cascade
);
create index import_errors_row on import_errors (workspace_id, import_id, "row", id);
