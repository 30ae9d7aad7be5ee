-- Whoever rotates a secret twice in a day, because the first answer got lost for example, has receivers that know the
-- oldest: the secrets before `sealed_before` that sign still, and until when each does.
alter table webhook_secrets
  add column earlier bytea[] not null default '{}',
  add column earlier_until timestamptz[] not null default '{}';
