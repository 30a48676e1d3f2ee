-- All functions and triggers of a farm. Whoever changes one gives this file the number behind the last: it replaces them all.
-- One whose parameters change is dropped by the step before.

-- Whoever assigns, ends or loses holds this lock until its transaction ends: it sees what those before it did, and no two
-- pick the same job or worker. It is taken before any row is, so nobody waits for anybody in a circle.
create or replace function farm_lock() returns void language sql as $$ select pg_advisory_xact_lock(1178686029) $$;

-- The first jobs that wait for such a worker, in their order. By the index, whatever the planner knows of the table: a sort of
-- all that wait would cost more the more there are.
create or replace function first_waiting(wanted text, most bigint) returns setof job language sql stable
  set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off
  set enable_hashjoin = off set enable_mergejoin = off
as $$
  select * from job
  where wants = wanted and cancelled is null and not exists (select from run where run.job = job.num)
  order by priority desc, turn, depth desc, num limit most
$$;

-- Matches workers that have no run with jobs that wait, and tells their farmers: one statement for as many as it can. Workers
-- that could do less else of what waits come first, so that one that is asked for by a label is not taken by what anybody
-- could do. A worker that is the best one for several jobs takes the first of them; the others are matched once more.
create or replace function resolve() returns trigger language plpgsql as $$
declare
  matched int;
  seen int;
begin
  perform farm_lock();
  loop
    with idle as materialized (
      select id, gives, registered from worker where not exists (select from run where run.worker = worker.id)
    ),
    offer as materialized (select id, registered, wants from idle, unnest(gives) wants),
    waiting as materialized (
      select num, first.wants, priority, turn, depth, tried,
        row_number() over (partition by first.wants order by priority desc, turn, depth desc, num) nth
      from (select wants, count(*) n from offer group by wants) room cross join lateral first_waiting(room.wants, n) first
    ),
    able as (
      select id, wants, row_number() over (partition by wants order by asked, registered, id) nth
      from (select *, count(*) over (partition by id) asked from offer
        where wants in (select wants from waiting)) useful
    ),
    pair as (
      select distinct on (able.id) able.id, num, turn, tried from able join waiting using (wants, nth)
      order by able.id, priority desc, turn, depth desc, num
    ),
    made as (
      insert into run (job, worker, try, turn) select num, id, tried + 1, turn from pair returning job, worker
    ),
    told as (select count(pg_notify('farm_run', worker::text)::text) n from made)
    select told.n, (select count(*) from waiting) into matched, seen from told;
    exit when matched = 0 or matched = seen;
  end loop;
  return null;
end $$;

create or replace trigger job_resolve after insert on job for each statement execute function resolve();
create or replace trigger worker_resolve after insert on worker for each statement execute function resolve();
-- A job that ended, was cancelled or was lost: its worker is free, or its job waits again.
create or replace trigger run_resolve after delete on run for each statement execute function resolve();

-- Tells the farmers that pages look different.
create or replace function tell() returns trigger language plpgsql as $$
begin
  perform pg_notify('farm_change', '');
  return null;
end $$;

create or replace trigger job_tell after insert or delete or update of cancelled on job for each statement execute function tell();
create or replace trigger run_tell after insert or delete or update of steps on run for each statement execute function tell();
create or replace trigger result_tell after insert or update on result for each statement execute function tell();
create or replace trigger change_tell after insert or update on change for each statement execute function tell();
create or replace trigger worker_tell after insert or delete on worker for each statement execute function tell();

create or replace function tell_out() returns trigger language plpgsql as $$
begin
  perform pg_notify(tg_argv[0], '');
  return null;
end $$;

create or replace trigger check_tell after insert on "check" for each statement execute function tell_out('farm_check');
create or replace trigger delivery_tell after insert on delivery for each statement execute function tell_out('farm_delivery');

-- Queues a job for a change. Its turn is one behind the change's last, and not before the turn that runs now: so changes
-- take turns, and one that comes late neither waits for all of another's jobs nor makes up for the time it was not there.
create or replace function queue(wish job) returns bigint language plpgsql as $$
declare
  now_turn bigint;
  last_turn bigint;
  made bigint;
begin
  perform farm_lock();
  select coalesce((select max(turn) from run), (select min(turn) from job), 0) into now_turn;
  select max(turn) into last_turn from job where change = wish.change;
  insert into job (project, change, ref, revision, version, label, directory, command, arch, host, params, limits,
      priority, turn, depth, retry_of)
    values (wish.project, wish.change, wish.ref, wish.revision, wish.version, wish.label, wish.directory, wish.command,
      wish.arch, wish.host, coalesce(wish.params, '{}'), coalesce(wish.limits, '{}'), coalesce(wish.priority, 0),
      greatest(now_turn, coalesce(last_turn + 1, now_turn)),
      case when wish.directory = '' then 0 else cardinality(string_to_array(wish.directory, '/')) end, wish.retry_of)
    returning num into made;
  insert into "check" (project, revision, context, state, description, job)
    values (wish.project, wish.revision, wish.label, 'pending', 'queued', made);
  return made;
end $$;

-- What a forge is to be told of a verdict.
create or replace function check_state(verdict text) returns text language sql immutable as
  $$ select case when verdict in ('success', 'failure') then verdict else 'error' end $$;

-- What a forge is told of an end, in one line.
create or replace function check_text(how text, why text) returns text language sql immutable as
  $$ select left(case when how = 'success' or why is null then how else how || ': ' || why end, 140) $$;

-- The end of jobs: results in, jobs out. The caller holds the lock. They end now, and not when the transaction began, which may
-- have waited for the lock: who asks for what ended after what he knows misses nothing.
create or replace function over_all(endings ending[]) returns void language sql as $$
  with ended as materialized (select * from unnest(endings)),
  kept as (
    insert into result (num, attempt, project, change, ref, revision, version, label, directory, command, arch, host, params,
        limits, priority, made, retry_of, worker_host, worker_slot, started, ended, verdict, error, loss, about, steps, files, try)
      select num, attempt, project, change, ref, revision, job.version, label, directory, command, job.arch, job.host, params,
        limits, priority, made, retry_of, worker.host, worker.slot, started, clock_timestamp(), how, why, loss, about,
        coalesce(ended.steps, run.steps, '[]'), coalesce(ended.files, '[]'), coalesce(run.try, greatest(tried, 1))
      from ended join job using (num) left join run on run.job = job.num left join worker on worker.id = run.worker order by num
  ),
  checked as (
    insert into "check" (project, revision, context, state, description, job)
      select project, revision, label, check_state(how), check_text(how, why), num from ended join job using (num) order by num
  ),
  freed as (delete from run using ended where run.job = ended.num)
  delete from job using ended where job.num = ended.num
$$;

-- The same for one.
create or replace function over(which bigint, how text, why text, files jsonb, steps_ jsonb) returns void language sql as
  $$ select over_all(array[row(which, how, why, files, steps_)::ending]) $$;

-- Takes the results of attempts, a list of { attempt, verdict, why, files, steps }, and returns for each, by its place in the
-- list, the verdict that stands; null if the attempt does not stand and never ended a job. The same result twice has the same
-- answer. A job that was cancelled and is given up is cancelled.
create or replace function finish_all(ends jsonb) returns table (nth bigint, stands text) language plpgsql as $$
begin
  perform farm_lock();
  update run set about = one -> 'about' from jsonb_array_elements(ends) list(one)
    where attempt = (one ->> 'attempt')::uuid and jsonb_typeof(one -> 'about') = 'object';
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

-- How many times a job may be lost before that is its result.
create or replace function most_losses() returns int language sql immutable as $$ select 4 $$;

-- These workers are gone, or give their jobs back: each job waits again, or is over if it was lost too often. `counts` is
-- false where nobody is to blame; `why` is what the worker said, or what is known of it.
create or replace function lose(gone uuid[], counts boolean, why text default null) returns int language plpgsql as $$
declare
  lost record;
  n int;
begin
  perform farm_lock();
  for lost in select num, cancelled, losses, try, worker.host from job join run on run.job = num join worker on worker.id = run.worker
      where run.worker = any(gone) loop
    if lost.cancelled is not null then
      perform over(lost.num, 'cancelled', lost.cancelled, null, null);
    elsif counts and lost.losses + 1 >= most_losses() then
      perform over(lost.num, 'lost', 'its worker was lost ' || most_losses() || ' times' ||
        coalesce(', the last time: ' || why, ''), null, null);
    else
      update job set losses = losses + counts::int, tried = lost.try,
        loss = 'attempt ' || lost.try || ' on ' || lost.host || ': ' || coalesce(why, 'its worker failed') where num = lost.num;
    end if;
  end loop;
  delete from worker where id = any(gone);
  get diagnostics n = row_count;
  return n;
end $$;

-- Collects the workers that were silent for so long.
create or replace function collect(silence interval) returns int language plpgsql as $$
declare
  gone uuid[];
begin
  perform farm_lock();
  select array_agg(id) into gone from worker where seen < clock_timestamp() - silence;
  return case when gone is null then 0
    else lose(gone, true, 'its worker was silent for ' || extract(epoch from silence)::float || ' s') end;
end $$;

-- Cancels jobs: what waits is over at once, what runs is told. Returns how many.
create or replace function cancel(nums bigint[], why text) returns int language plpgsql as $$
declare
  one record;
  n int := 0;
begin
  perform farm_lock();
  for one in select num, attempt from job left join run on run.job = num where num = any(nums) order by num loop
    n := n + 1;
    if one.attempt is null then
      perform over(one.num, 'cancelled', why, null, null);
    else
      update job set cancelled = coalesce(cancelled, why) where num = one.num;
      perform pg_notify('farm_word', one.attempt::text);
    end if;
  end loop;
  return n;
end $$;

-- Queues what is over once more, or returns what it was retried as; null if there is none.
create or replace function retry(which bigint) returns bigint language plpgsql as $$
declare
  old result;
  again bigint;
begin
  perform farm_lock();
  select * into old from result where num = which;
  if old.num is null then return null; end if;
  if old.retried_as is not null then return old.retried_as; end if;
  again := queue(jsonb_populate_record(null::job, to_jsonb(old) - 'num' - 'made' || jsonb_build_object('retry_of', which)));
  update result set retried_as = again where num = which;
  return again;
end $$;
