-- Attempts are ended together: one lock, one look at what waits and one commit for all that end at the same time.

-- A job's run leaves with it, by the same statement: a cascade would assign once for each row.
alter table run drop constraint run_job_fkey, add foreign key (job) references job;

-- The end of a job: result in, job out. The caller holds the lock.
create or replace function over(which bigint, how text, why text, files jsonb, steps_ jsonb) returns void language plpgsql as $$
begin
  insert into result (num, attempt, project, change, ref, revision, version, label, directory, command, arch, host, params,
      limits, priority, made, retry_of, worker_host, worker_slot, started, verdict, error, steps, files, try)
    select num, attempt, project, change, ref, revision, job.version, label, directory, command, job.arch, job.host, params,
      limits, priority, made, retry_of, worker.host, worker.slot, started, how, why, coalesce(steps_, steps, '[]'),
      coalesce(over.files, '[]'), coalesce(run.try, greatest(tried, 1))
    from job left join run on run.job = num left join worker on worker.id = run.worker where num = which;
  insert into "check" (project, revision, context, state, description, job)
    select project, revision, label, check_state(how), check_text(how, why), num from job where num = which;
  with ended as (delete from run where job = which) delete from job where num = which;
end $$;

-- What a forge is told of an end, in one line.
create function check_text(how text, why text) returns text language sql immutable as
  $$ select left(case when how = 'success' or why is null then how else how || ': ' || why end, 140) $$;

-- Takes the results of attempts, a list of { attempt, verdict, why, files, steps }, and returns for each, by its place in the
-- list, the verdict that stands; null if the attempt does not stand and never ended a job. The same result twice has the same
-- answer. A job that was cancelled and is given up is cancelled.
create function finish_all(ends jsonb) returns table (nth bigint, stands text) language plpgsql as $$
begin
  perform farm_lock();
  return query
  with told as materialized (
    select place, (one ->> 'attempt')::uuid attempt, one ->> 'verdict' how, one ->> 'why' why,
      nullif(one -> 'files', 'null') files, nullif(one -> 'steps', 'null') steps
    from jsonb_array_elements(ends) with ordinality list(one, place)
  ),
  ended as materialized (
    select distinct on (told.attempt) told.attempt, job.num, job.cancelled is not null and how in ('lost', 'cancelled') given_up,
      how, why, job.cancelled, told.files, told.steps
    from told join run on run.attempt = told.attempt join job on job.num = run.job order by told.attempt, place
  ),
  verdicts as materialized (
    select attempt, num, files, steps, case when given_up then 'cancelled' else how end how,
      case when given_up then cancelled else why end why
    from ended
  ),
  kept as (
    insert into result (num, attempt, project, change, ref, revision, version, label, directory, command, arch, host, params,
        limits, priority, made, retry_of, worker_host, worker_slot, started, verdict, error, steps, files, try)
      select num, attempt, project, change, ref, revision, job.version, label, directory, command, job.arch, job.host, params,
        limits, priority, made, retry_of, worker.host, worker.slot, started, how, why, coalesce(verdicts.steps, run.steps),
        coalesce(verdicts.files, '[]'), run.try
      from verdicts join job using (num) join run using (attempt) join worker on worker.id = run.worker order by num
  ),
  checked as (
    insert into "check" (project, revision, context, state, description, job)
      select project, revision, label, check_state(how), check_text(how, why), num from verdicts join job using (num) order by num
  ),
  freed as (delete from run using verdicts where run.attempt = verdicts.attempt),
  gone as (delete from job using verdicts where job.num = verdicts.num)
  select place, coalesce(verdicts.how, result.verdict)
  from told left join verdicts using (attempt) left join result on result.attempt = told.attempt;
end $$;

-- The same for one.
create or replace function finish(which uuid, how text, why text, files jsonb, steps jsonb) returns text language sql as $$
  select stands from finish_all(jsonb_build_array(jsonb_build_object('attempt', which, 'verdict', how, 'why', why, 'files', files,
    'steps', steps)))
$$;
