-- Sessions of browsers: one secret, in a cookie, that lives as long as it is used, and no longer than until
-- `refresh_expires_at`. `client` is what the browser or the program calls itself.
alter table sessions
  add column kind text collate pg_c_utf8 not null default 'bearer' check (kind in ('bearer', 'cookie')),
  add column client text collate pg_c_utf8,
  add column last_used_at timestamptz,
  alter column refresh_hash drop not null,
  add constraint sessions_refreshed check ((refresh_hash is null) = (kind = 'cookie'));
-- The hourly upkeep removes sessions that have ended.
create index sessions_refresh_expires_at on sessions (refresh_expires_at);

-- Refresh tokens that were exchanged for others: one that comes again was copied, and ends its session.
create table used_refresh_tokens (
  hash bytea primary key,
  session_id uuid not null references sessions on delete cascade,
  used_at timestamptz not null default now()
);
create index used_refresh_tokens_session on used_refresh_tokens (session_id);
