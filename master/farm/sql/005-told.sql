-- How the attempt before was lost is told of a job that waits or runs again, and of its result. And what a worker says of a job
-- besides its steps and files is kept: where its steps run, and remarks: { place, notes }.
alter table result add loss text;
alter table run add about jsonb;
alter table result add about jsonb;
