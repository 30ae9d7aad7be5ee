-- The import of a whole workspace into one that holds data.

alter table imports add column into_existing boolean;
