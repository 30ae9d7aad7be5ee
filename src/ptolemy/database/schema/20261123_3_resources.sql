-- The resources of a workspace. Every key starts with `workspace_id`: a reference can't cross workspaces, a restore keeps
-- its ids, and the tables can be distributed by workspace. Text has one order and one case folding on every server.

-- A kind of instrument: `equity`, `bond`, `fx`.
create table instrument_types (
  workspace_id uuid not null,
  id uuid not null,
  identifier text collate pg_c_utf8 not null,
  name text collate pg_c_utf8,
  description text collate pg_c_utf8,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
create unique index instrument_types_unique on instrument_types (workspace_id, identifier) where archived_at is null;
create index instrument_types_archived on instrument_types (workspace_id, identifier, archived_at) where archived_at is not null;

-- A custom field of the instruments of one type.
create table instrument_type_fields (
  workspace_id uuid not null,
  id uuid not null,
  field_key text collate pg_c_utf8 not null,
  field_label text collate pg_c_utf8,
  data_type text collate pg_c_utf8 not null,
  is_required boolean not null,
  has_default boolean not null,
  default_value text collate pg_c_utf8,
  allow_null boolean not null,
  display_order bigint not null,
  type_id uuid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, type_id) references instrument_types (workspace_id, id) on delete cascade
);
create unique index instrument_type_fields_unique on instrument_type_fields (workspace_id, type_id, field_key) where archived_at is null;
create index instrument_type_fields_type_id on instrument_type_fields (workspace_id, type_id);

-- A kind of market: `exchange`, `otc`, `dark-pool`.
create table market_types (
  workspace_id uuid not null,
  id uuid not null,
  identifier text collate pg_c_utf8 not null,
  name text collate pg_c_utf8,
  description text collate pg_c_utf8,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
create unique index market_types_unique on market_types (workspace_id, identifier) where archived_at is null;
create index market_types_archived on market_types (workspace_id, identifier, archived_at) where archived_at is not null;

-- A custom field of the markets of one type.
create table market_type_fields (
  workspace_id uuid not null,
  id uuid not null,
  field_key text collate pg_c_utf8 not null,
  field_label text collate pg_c_utf8,
  data_type text collate pg_c_utf8 not null,
  is_required boolean not null,
  has_default boolean not null,
  default_value text collate pg_c_utf8,
  allow_null boolean not null,
  display_order bigint not null,
  type_id uuid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, type_id) references market_types (workspace_id, id) on delete cascade
);
create unique index market_type_fields_unique on market_type_fields (workspace_id, type_id, field_key) where archived_at is null;
create index market_type_fields_type_id on market_type_fields (workspace_id, type_id);

-- A type of time series: `close-price` (scalar: one number an instant) or `ohlcv` (composite: several items).
create table series (
  workspace_id uuid not null,
  id uuid not null,
  identifier text collate pg_c_utf8 not null,
  name text collate pg_c_utf8,
  description text collate pg_c_utf8,
  kind text collate pg_c_utf8 not null,
  unit text collate pg_c_utf8,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
create unique index series_unique on series (workspace_id, identifier) where archived_at is null;
create index series_archived on series (workspace_id, identifier, archived_at) where archived_at is not null;

-- An item of a composite series, or a custom field of the values of a scalar one.
create table time_series_type_fields (
  workspace_id uuid not null,
  id uuid not null,
  field_key text collate pg_c_utf8 not null,
  field_label text collate pg_c_utf8,
  data_type text collate pg_c_utf8 not null,
  is_required boolean not null,
  has_default boolean not null,
  default_value text collate pg_c_utf8,
  allow_null boolean not null,
  display_order bigint not null,
  type_id uuid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, type_id) references series (workspace_id, id) on delete cascade
);
create unique index time_series_type_fields_unique on time_series_type_fields (workspace_id, type_id, field_key) where archived_at is null;
create index time_series_type_fields_type_id on time_series_type_fields (workspace_id, type_id);

-- What a listing can be: `active`, `halted`, `delisted`, and what else a workspace needs.
create table market_listing_statuses (
  workspace_id uuid not null,
  id uuid not null,
  identifier text collate pg_c_utf8 not null,
  name text collate pg_c_utf8,
  is_tradable boolean not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
create unique index market_listing_statuses_unique on market_listing_statuses (workspace_id, identifier) where archived_at is null;
create index market_listing_statuses_archived on market_listing_statuses (workspace_id, identifier, archived_at) where archived_at is not null;

-- A security, a currency pair, an index: whatever carries prices.
create table instruments (
  workspace_id uuid not null,
  id uuid not null,
  identifier text collate pg_c_utf8 not null,
  name text collate pg_c_utf8 not null,
  type_id uuid not null,
  field_values jsonb not null,
  extras jsonb,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, type_id) references instrument_types (workspace_id, id) on delete restrict
);
create unique index instruments_unique on instruments (workspace_id, identifier) where archived_at is null;
create index instruments_type_id on instruments (workspace_id, type_id);
create index instruments_archived on instruments (workspace_id, identifier, archived_at) where archived_at is not null;

-- A place where instruments trade: an exchange, a venue, a pool.
create table markets (
  workspace_id uuid not null,
  id uuid not null,
  identifier text collate pg_c_utf8 not null,
  name text collate pg_c_utf8 not null,
  type_id uuid not null,
  field_values jsonb not null,
  extras jsonb,
  timezone text collate pg_c_utf8,
  mic text collate pg_c_utf8,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, type_id) references market_types (workspace_id, id) on delete restrict
);
create unique index markets_unique on markets (workspace_id, identifier) where archived_at is null;
create index markets_type_id on markets (workspace_id, type_id);
create index markets_archived on markets (workspace_id, identifier, archived_at) where archived_at is not null;

-- An instrument as it trades on one market.
create table market_listings (
  workspace_id uuid not null,
  id uuid not null,
  instrument_id uuid not null,
  market_id uuid not null,
  local_code text collate pg_c_utf8,
  currency text collate pg_c_utf8,
  lot_size numeric,
  status_id uuid,
  listed_on date,
  delisted_on date,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, instrument_id) references instruments (workspace_id, id) on delete restrict,
  foreign key (workspace_id, market_id) references markets (workspace_id, id) on delete cascade,
  foreign key (workspace_id, status_id) references market_listing_statuses (workspace_id, id) on delete restrict
);
create unique index market_listings_unique on market_listings (workspace_id, instrument_id, market_id) where archived_at is null;
create index market_listings_instrument_id on market_listings (workspace_id, instrument_id);
create index market_listings_market_id on market_listings (workspace_id, market_id);
create index market_listings_status_id on market_listings (workspace_id, status_id);

-- A period in which a listing doesn't trade: half-open, from the first instant to before the last; an open end is now.
create table market_listing_suspensions (
  workspace_id uuid not null,
  id uuid not null,
  listing_id uuid not null,
  suspended_from timestamptz not null,
  suspended_until timestamptz,
  reason text collate pg_c_utf8,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id),
  foreign key (workspace_id, listing_id) references market_listings (workspace_id, id) on delete cascade,
  constraint market_listing_suspensions_no_overlap exclude using gist (workspace_id with =, listing_id with =, tstzrange(suspended_from, suspended_until) with &&)
);
create index market_listing_suspensions_listing_id on market_listing_suspensions (workspace_id, listing_id);

-- One number of one instrument in one series at one instant.
create table time_series_values (
  workspace_id uuid not null,
  id uuid not null,
  instrument_id uuid not null,
  type_id uuid not null,
  timestamp timestamptz not null,
  value numeric not null,
  field_values jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
create unique index time_series_values_unique on time_series_values (workspace_id, instrument_id, type_id, timestamp) where archived_at is null;
create index time_series_values_instrument_id on time_series_values (workspace_id, instrument_id) where archived_at is not null;
create index time_series_values_type_id on time_series_values (workspace_id, type_id) where archived_at is not null;

-- Several items of one instrument in one series at one instant: an OHLCV bar.
create table composite_time_series_values (
  workspace_id uuid not null,
  id uuid not null,
  instrument_id uuid not null,
  type_id uuid not null,
  timestamp timestamptz not null,
  items jsonb not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  archived_at timestamptz,
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
create unique index composite_time_series_values_unique on composite_time_series_values (workspace_id, instrument_id, type_id, timestamp) where archived_at is null;
create index composite_time_series_values_instrument_id on composite_time_series_values (workspace_id, instrument_id) where archived_at is not null;
create index composite_time_series_values_type_id on composite_time_series_values (workspace_id, type_id) where archived_at is not null;
