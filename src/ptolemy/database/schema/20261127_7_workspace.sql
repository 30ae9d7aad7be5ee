-- The import of a whole workspace tells, file by file, what was expected and what became of it.

alter table imports add column files jsonb;
