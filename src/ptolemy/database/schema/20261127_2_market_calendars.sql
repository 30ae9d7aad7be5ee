-- One day of a market: whether it trades, and from when to when on the market's own clock.
create table market_calendars (
  workspace_id uuid not null,
  id uuid not null,
  market_id uuid not null,
  date date not null,
  is_open boolean not null,
  open_time time,
  close_time time,
  name text collate pg_c_utf8,
  source text collate pg_c_utf8 not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, market_id) references markets (workspace_id, id) on delete cascade
);
-- Sessions and is-open walk one market by date.
create unique index market_calendars_unique on market_calendars (workspace_id, market_id, date);
create index market_calendars_market_id on market_calendars (workspace_id, market_id);
create index market_calendars_words on market_calendars using gin (search_words(workspace_id, coalesce(name, '')));

create view market_calendars_keys as
select workspace_id, id, market_id, date, is_open, open_time, close_time, name, source, created_at, updated_at
from market_calendars
where workspace_id = current_setting('ptolemy.workspace_id')::uuid;
