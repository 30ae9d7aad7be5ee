-- Workspaces that were removed: nobody gets at them any more, and upkeep makes sure that nothing of them stays, for a
-- while also what a request or a job that was under way writes late. Belongs to no workspace: no row-level security.
create table removed_workspaces (
  id uuid primary key,
  removed_at timestamptz not null default now()
);
