-- The branch that a change comes from, by its short name: what is pushed there is built as the change.
alter table change add source text;
