-- Attempts are ended together: one lock, one look at what waits and one commit for all that end at the same time.

-- A job's run leaves with it, by the same statement: a cascade would assign once for each row.
alter table run drop constraint run_job_fkey, add foreign key (job) references job;

-- What a forge is told of an end, in one line.
create function check_text(how text, why text) returns text language sql immutable as
  $$ select left(case when how = 'success' or why is null then how else how || ': ' || why end, 140) $$;

create type ending as (num bigint, how text, why text, files jsonb, steps jsonb);

-- The end of jobs: results in, jobs out. The caller holds the lock.
create function over_all(endings ending[]) returns void language sql as $$
  with ended as materialized (select * from unnest(endings)),
  kept as (
    insert into result (num, attempt, project, change, ref, revision, version, label, directory, command, arch, host, params,
        limits, priority, made, retry_of, worker_host, worker_slot, started, verdict, error, steps, files, try)
      select num, attempt, project, change, ref, revision, job.version, label, directory, command, job.arch, job.host, params,
        limits, priority, made, retry_of, worker.host, worker.slot, started, how, why, coalesce(ended.steps, run.steps, '[]'),
        coalesce(ended.files, '[]'), coalesce(run.try, greatest(tried, 1))
      from ended join job using (num) left join run on run.job = num left join worker on worker.id = run.worker order by num
  ),
  checked as (
    insert into "check" (project, revision, context, state, description, job)
      select project, revision, label, check_state(how), check_text(how, why), num from ended join job using (num) order by num
  ),
  freed as (delete from run using ended where run.job = ended.num)
  delete from job using ended where job.num = ended.num
$$;

create or replace function over(which bigint, how text, why text, files jsonb, steps_ jsonb) returns void language sql as
  $$ select over_all(array[row(which, how, why, files, steps_)::ending]) $$;

-- Takes the results of attempts, a list of { attempt, verdict, why, files, steps }, and returns for each, by its place in the
-- list, the verdict that stands; null if the attempt does not stand and never ended a job. The same result twice has the same
-- answer. A job that was cancelled and is given up is cancelled.
create function finish_all(ends jsonb) returns table (nth bigint, stands text) language plpgsql as $$
begin
  perform farm_lock();
  perform over_all(array(
    select distinct on (attempt) row(num,
        case when given_up then 'cancelled' else one ->> 'verdict' end, case when given_up then cancelled else one ->> 'why' end,
        nullif(one -> 'files', 'null'), nullif(one -> 'steps', 'null'))::ending
    from jsonb_array_elements(ends) with ordinality list(one, place)
      join run on attempt = (one ->> 'attempt')::uuid join job on num = run.job,
      lateral (select cancelled is not null and one ->> 'verdict' in ('lost', 'cancelled') given_up) known
    order by attempt, place
  ));
  return query select place, verdict
    from jsonb_array_elements(ends) with ordinality list(one, place) left join result on attempt = (one ->> 'attempt')::uuid;
end $$;

-- The same for one.
create or replace function finish(which uuid, how text, why text, files jsonb, steps jsonb) returns text language sql as $$
  select stands from finish_all(jsonb_build_array(jsonb_build_object('attempt', which, 'verdict', how, 'why', why, 'files', files,
    'steps', steps)))
$$;
