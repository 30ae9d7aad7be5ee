-- Who was asked to join: read by the token's hash before a workspace is known, so without row-level security.
create table invitations (
  workspace_id uuid not null references workspaces on delete cascade,
  id uuid not null,
  token_hash bytea not null unique,
  email text collate pg_c_utf8 not null,
  role text collate pg_c_utf8 not null check (role in ('viewer', 'member', 'editor', 'admin')),
  mail text collate pg_c_utf8 not null check (mail in ('none', 'queued', 'sent', 'failed')),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  withdrawn_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (workspace_id, id)
);
-- Inviting somebody again replaces the invitation that is open.
create unique index invitations_open on invitations (workspace_id, lower(email))
where accepted_at is null and withdrawn_at is null;

-- What admins see of invitations and of members; the rights are those of whoever asks.
create view invitation_states with (security_invoker = true) as
select
  workspace_id,
  id,
  email,
  role,
  case
    when accepted_at is not null then 'accepted'
    when withdrawn_at is not null then 'withdrawn'
    when expires_at <= now() then 'expired'
    else 'pending'
  end collate pg_c_utf8 as state,
  mail,
  expires_at,
  accepted_at,
  withdrawn_at,
  created_at,
  updated_at
from invitations;

create view members with (security_invoker = true) as
select m.workspace_id, m.id, m.user_id, u.kind as type, u.email, u.name, m.role, m.created_at, m.updated_at
from memberships m
join users u on u.id = m.user_id;
