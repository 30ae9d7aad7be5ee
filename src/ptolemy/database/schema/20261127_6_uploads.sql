-- A file that arrives in parts; `used_by` is the job that reads it now.
create table uploads (
  workspace_id uuid not null,
  id uuid not null,
  file_name text collate pg_c_utf8,
  size bigint,
  sha256 text collate pg_c_utf8,
  used_by uuid,
  expires_at timestamptz not null,
  created_by uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);

-- One part as it lies in the file store; one that is sent again lies elsewhere.
create table upload_parts (
  workspace_id uuid not null,
  upload_id uuid not null,
  number integer not null,
  size bigint not null,
  sha256 text collate pg_c_utf8 not null,
  stored_as text collate pg_c_utf8 not null,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, upload_id, number),
  foreign key (workspace_id, upload_id) references uploads (workspace_id, id) on delete cascade
);
