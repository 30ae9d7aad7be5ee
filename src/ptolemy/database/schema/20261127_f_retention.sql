-- How far a workspace's feed of events has been forgotten: the place of the last event that was removed because its time
-- was over. Who asks for what comes after an earlier place is told that something is missing. One row for each epoch: the last one counts.
create table forgotten_events (
  workspace_id uuid not null,
  epoch integer not null,
  xid xid8 not null,
  event_id uuid not null,
  forgotten_at timestamptz not null default now(),
  recorded_at timestamptz not null default now(),
  primary key (workspace_id, epoch)
);
