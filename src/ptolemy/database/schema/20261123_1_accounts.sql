-- Who may sign in, and where. These tables are read before a workspace is known, so they carry no row-level security.

create table installation (
  id boolean primary key default true check (id),
  epoch integer not null default 1,
  created_at timestamptz not null default now()
);
insert into installation default values;

create table workspaces (
  id uuid primary key,
  slug text collate pg_c_utf8 not null unique,
  name text collate pg_c_utf8 not null,
  plan text collate pg_c_utf8 not null default 'enterprise',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- People and robots. A robot has neither e-mail nor password.
create table users (
  id uuid primary key,
  kind text collate pg_c_utf8 not null check (kind in ('human', 'robot')),
  email text collate pg_c_utf8,
  name text collate pg_c_utf8,
  password_hash text collate pg_c_utf8,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
-- Sign-in looks a person up by e-mail, whatever its case.
create unique index users_unique_email on users (lower(email));

create table memberships (
  workspace_id uuid not null references workspaces on delete cascade,
  id uuid not null,
  user_id uuid not null references users on delete cascade,
  role text collate pg_c_utf8 not null check (role in ('viewer', 'member', 'editor', 'admin')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (workspace_id, id),
  constraint memberships_unique_user unique (workspace_id, user_id)
);
-- Sign-in lists the workspaces of one person.
create index memberships_user on memberships (user_id);

-- Robots' credentials: 32 random bytes, of which only the SHA-256 is kept.
create table tokens (
  workspace_id uuid not null references workspaces on delete cascade,
  id uuid not null,
  user_id uuid not null references users on delete cascade,
  hash bytea not null unique,
  token_suffix text collate pg_c_utf8 not null,
  name text collate pg_c_utf8,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
create index tokens_user on tokens (workspace_id, user_id);

-- A person's sign-in: an access token for an hour, a refresh token for thirty days; hashes only.
create table sessions (
  id uuid primary key,
  user_id uuid not null references users on delete cascade,
  access_hash bytea not null unique,
  access_expires_at timestamptz not null,
  refresh_hash bytea not null unique,
  refresh_expires_at timestamptz not null,
  revoked_at timestamptz,
  created_at timestamptz not null default now()
);
create index sessions_user on sessions (user_id);

-- Sign-ins that failed or are still being checked, by the SHA-256 of the e-mail in lower case: whoever guesses passwords waits
-- longer and longer, whether the person exists or not. `free_at` is when the next attempt is let through.
create table sign_in_attempts (
  email_hash bytea primary key,
  attempts integer not null,
  free_at timestamptz not null
);
create index sign_in_attempts_free_at on sign_in_attempts (free_at);
