-- A job's run leaves with it, by the same statement: a cascade would assign once for each row.
alter table run drop constraint run_job_fkey, add foreign key (job) references job;

create type ending as (num bigint, how text, why text, files jsonb, steps jsonb);
