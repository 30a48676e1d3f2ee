-- The state of a farm. A job waits while no run names it, runs while one does, and is over when its result is there and the
-- job is gone. Only the database's clock is used.

create sequence job_num;

create table change (
  id bigint generated always as identity primary key,
  project text not null,
  -- A change's number as text, or the full name of a ref.
  name text not null,
  ref text not null,
  head text not null,
  open boolean not null default true,
  -- It waits for a person; `approved` is the one head that may run.
  held boolean not null default false,
  approved text,
  fork boolean not null default false,
  target text,
  title text not null default '',
  author text not null default '',
  url text,
  -- What steps are told of it: CHANGE, TITLE and so on.
  params jsonb not null default '{}',
  -- When the forge said so, by its clock, in milliseconds since 1970; null where it does not say.
  heard bigint,
  updated timestamptz not null default now(),
  unique (project, name)
);

create table job (
  num bigint primary key default nextval('job_num'),
  project text not null,
  change bigint references change on delete cascade,
  -- Where to fetch the commit from, and which it is.
  ref text not null,
  revision text not null,
  version text not null,
  -- The check's name. A command and its directory, or neither: then the steps are in .bass/.
  label text not null,
  directory text not null default '',
  command text,
  -- What a worker must have: its architecture, or `ARCH:LABEL`.
  arch text not null,
  host text,
  wants text generated always as (case when host is null then arch else arch || ':' || host end) stored,
  params jsonb not null default '{}',
  -- What its project sets for it: limits, and where its steps run.
  limits jsonb not null default '{}',
  priority int not null default 0,
  -- The change's turn: see queue().
  turn bigint not null default 0,
  depth int not null default 0,
  made timestamptz not null default now(),
  cancelled text,
  losses int not null default 0,
  tried int not null default 0,
  retry_of bigint
);

create index job_order on job (wants, priority desc, turn, depth desc, num);
create index job_change on job (change);

create table worker (
  id uuid primary key default gen_random_uuid(),
  host text not null,
  slot text not null,
  arch text not null,
  -- What it can be asked for: its architecture, and the same with its host and each label.
  gives text[] not null,
  version text not null,
  registered timestamptz not null default now(),
  seen timestamptz not null default now()
);

create table run (
  attempt uuid primary key default gen_random_uuid(),
  job bigint not null unique references job on delete cascade,
  worker uuid not null unique references worker on delete cascade,
  try int not null,
  turn bigint not null,
  started timestamptz not null default now(),
  -- The steps that were started, as the worker tells.
  steps jsonb not null default '[]',
  -- Until when somebody watches its output.
  watched timestamptz
);

create table result (
  num bigint primary key,
  attempt uuid unique,
  project text not null,
  change bigint references change on delete set null,
  ref text not null,
  revision text not null,
  version text not null,
  label text not null,
  directory text not null,
  command text,
  arch text not null,
  host text,
  params jsonb not null,
  limits jsonb not null,
  priority int not null,
  made timestamptz not null,
  retry_of bigint,
  retried_as bigint,
  worker_host text,
  worker_slot text,
  started timestamptz,
  ended timestamptz not null default now(),
  verdict text not null check (verdict in ('success', 'failure', 'timeout', 'cancelled', 'lost', 'error')),
  error text,
  steps jsonb not null default '[]',
  -- Where its files are: their prefix in the store, and each path with its size.
  files jsonb not null default '[]',
  try int not null default 1
);

create index result_project on result (project, num desc);
create index result_revision on result (revision);
create index result_change on result (change);

-- The outbox: what is still to be told to forges, in order.
create table "check" (
  id bigint generated always as identity primary key,
  project text not null,
  revision text not null,
  context text not null,
  state text not null check (state in ('pending', 'success', 'failure', 'error')),
  description text not null,
  job bigint,
  tries int not null default 0,
  due timestamptz not null default now()
);

create index check_due on "check" (due, id);
create index check_context on "check" (project, revision, context, id);

-- What forges have sent. `body` is dropped when it has been worked off.
create table delivery (
  project text not null,
  id text not null,
  received timestamptz not null default now(),
  headers jsonb,
  body bytea,
  tries int not null default 0,
  due timestamptz not null default now(),
  error text,
  primary key (project, id)
);

create index delivery_open on delivery (due) where body is not null;

-- Output of running steps, while somebody watches. It is on its worker as well, so a crash of the database may empty it.
create unlogged table live (
  attempt uuid not null references run on delete cascade,
  step text not null,
  stream text not null check (stream in ('out', 'err')),
  at bigint not null,
  bytes bytea not null,
  primary key (attempt, step, stream, at)
);
