-- Why a job was lost stays with it: for whoever asks why it waits again, and for its result if it is lost for good.

alter table job add loss text;

drop function lose(uuid[], boolean);

-- These workers are gone, or give their jobs back: each job waits again, or is over if it was lost too often. `counts` is
-- false where nobody is to blame; `why` is what the worker said, or what is known of it.
create function lose(gone uuid[], counts boolean, why text default null) returns int language plpgsql as $$
declare
  lost record;
  n int;
begin
  perform farm_lock();
  for lost in select num, cancelled, losses, try from job join run on run.job = num where run.worker = any(gone) loop
    if lost.cancelled is not null then
      perform over(lost.num, 'cancelled', lost.cancelled, null, null);
    elsif counts and lost.losses + 1 >= most_losses() then
      perform over(lost.num, 'lost', 'its worker was lost ' || most_losses() || ' times' ||
        coalesce(', the last time: ' || why, ''), null, null);
    else
      update job set losses = losses + counts::int, tried = lost.try, loss = coalesce(why, loss) where num = lost.num;
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
  return case when gone is null then 0 else lose(gone, true, 'its worker was silent') end;
end $$;
