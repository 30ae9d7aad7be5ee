-- The span of the request that asked for the job (W3C Trace Context), where requests are traced.
alter table jobs add column traceparent text collate pg_c_utf8;
