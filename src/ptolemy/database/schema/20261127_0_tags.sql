-- A label for instruments, in a tree of labels; `path` is what names it: `#equity.au`.
create table instrument_tags (
  workspace_id uuid not null,
  id uuid not null,
  identifier text collate pg_c_utf8 not null,
  name text collate pg_c_utf8,
  parent_id uuid,
  path text collate pg_c_utf8 not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, parent_id) references instrument_tags (workspace_id, id) on delete restrict
);
create unique index instrument_tags_unique on instrument_tags (workspace_id, path) where archived_at is null;
create index instrument_tags_parent_id on instrument_tags (workspace_id, parent_id);
create index instrument_tags_archived on instrument_tags (workspace_id, path, archived_at) where archived_at is not null;

-- That an instrument bears a tag.
create table instrument_tag_assignments (
  workspace_id uuid not null,
  id uuid not null,
  instrument_id uuid not null,
  tag_id uuid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, instrument_id) references instruments (workspace_id, id) on delete cascade,
  foreign key (workspace_id, tag_id) references instrument_tags (workspace_id, id) on delete cascade
);
create unique index instrument_tag_assignments_unique on instrument_tag_assignments (workspace_id, instrument_id, tag_id);
create index instrument_tag_assignments_instrument_id on instrument_tag_assignments (workspace_id, instrument_id);
create index instrument_tag_assignments_tag_id on instrument_tag_assignments (workspace_id, tag_id);
