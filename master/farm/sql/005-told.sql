-- How the attempt before was lost is told of a job that waits or runs again, and of its result. And what a worker says of a job
-- besides its steps and files is kept: where its steps run, and remarks: { place, notes }.

alter table result add loss text;
alter table run add about jsonb;
alter table result add about jsonb;

create or replace function over_all(endings ending[]) returns void language sql as $$
  with ended as materialized (select * from unnest(endings)),
  kept as (
    insert into result (num, attempt, project, change, ref, revision, version, label, directory, command, arch, host, params,
        limits, priority, made, retry_of, worker_host, worker_slot, started, verdict, error, loss, about, steps, files, try)
      select num, attempt, project, change, ref, revision, job.version, label, directory, command, job.arch, job.host, params,
        limits, priority, made, retry_of, worker.host, worker.slot, started, how, why, loss, about,
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

create or replace function collect(silence interval) returns int language plpgsql as $$
declare
  gone uuid[];
begin
  perform farm_lock();
  select array_agg(id) into gone from worker where seen < clock_timestamp() - silence;
  return case when gone is null then 0
    else lose(gone, true, 'its worker was silent for ' || extract(epoch from silence)::float || ' s') end;
end $$;

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
