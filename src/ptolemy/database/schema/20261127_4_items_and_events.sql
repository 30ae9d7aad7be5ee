-- The items of composite values, one row each; row-level security is that of whoever asks.
create view composite_time_series_value_items with (security_invoker = true) as
select
  v.workspace_id,
  v.id as value_id,
  item.key collate pg_c_utf8 as field_key,
  item.value collate pg_c_utf8 as value,
  v.created_at,
  v.updated_at,
  v.archived_at
from composite_time_series_values v
cross join lateral jsonb_each_text(v.items) item;

-- The history of one record.
create index events_resource on events (workspace_id, resource_id, epoch, xid, id);
