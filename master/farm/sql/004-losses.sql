-- Why a job was lost stays with it: for whoever asks why it waits again, and for its result if it is lost for good.
alter table job add loss text;

drop function if exists lose(uuid[], boolean);
