-- What requests with an Idempotency-Key were answered: written in the transaction that made the change, so that there is
-- never one without the other. Kept for a day. `key_hash` is of the caller and the key; `body` is null where an answer is
-- too large, or holds a secret.
create table idempotency_keys (
  workspace_id uuid not null,
  key_hash bytea not null,
  request_digest bytea not null,
  status smallint,
  headers jsonb,
  body bytea,
  created_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, key_hash)
);
-- The hourly upkeep removes those that are older than a day.
create index idempotency_keys_created_at on idempotency_keys (workspace_id, created_at);
