-- Who asked for the job, and the least role for that: who loses the role loses the job. Null for the server's own.
alter table jobs add column asked_by uuid, add column needs text collate pg_c_utf8;
