-- The pages ask for what ended last with every change, and RETENTION for what ended first: by an index, or each would read all.
create index result_ended on result (ended);
