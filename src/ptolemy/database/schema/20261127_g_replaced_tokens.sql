-- A token is replaced once: who asked twice would have live tokens that nobody knows, and as short-lived as the overlap.
alter table tokens add column replaced_at timestamptz;
