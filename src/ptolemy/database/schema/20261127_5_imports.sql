-- Imports that change what is there, named by a column of their file, and exports that say how they write numbers.

alter table imports add column identifier_column text collate pg_c_utf8;
alter table exports add column numbers text collate pg_c_utf8;
