-- Times are kept in milliseconds, as the graph shows them, so that a cursor names a position exactly.
-- References name the owner too: no row can hang on another user's.
create table conversation (
  id text primary key check (id ~ '^cnv_[0-9a-f]{32}$'),
  user_id text not null default behalf.sub(),
  title text not null,
  created_at timestamptz(3) not null default now(),
  unique (id, user_id)
);
create index conversation_newest_first on conversation (user_id, created_at desc, id desc);

create table run (
  id text primary key check (id ~ '^run_[0-9a-f]{32}$'),
  conversation_id text not null,
  user_id text not null default behalf.sub(),
  idempotency_key text not null,
  status text not null default 'QUEUED' check (status in ('QUEUED', 'RUNNING', 'COMPLETED', 'INCOMPLETE', 'FAILED', 'CANCELLED')),
  -- Counts who took the run; a write by anyone but the last is refused.
  holder integer not null default 0,
  backend_kind text not null check (backend_kind in ('LANGUAGE_MODEL', 'KEYWORD_ROUTER')),
  backend_name text not null,
  error_code text,
  retry_after_ms integer,
  created_at timestamptz(3) not null default now(),
  started_at timestamptz(3),
  finished_at timestamptz(3),
  unique (id, user_id),
  unique (user_id, idempotency_key),
  foreign key (conversation_id, user_id) references conversation (id, user_id) on delete cascade,
  check ((finished_at is null) = (status in ('QUEUED', 'RUNNING')))
);
create index run_of_conversation on run (conversation_id);
-- One answer at a time in a conversation.
create unique index run_active on run (conversation_id) where status in ('QUEUED', 'RUNNING');

create table message (
  id text primary key check (id ~ '^msg_[0-9a-f]{32}$'),
  conversation_id text not null,
  run_id text not null,
  user_id text not null default behalf.sub(),
  role text not null check (role in ('USER', 'ASSISTANT')),
  text text not null,
  -- Counted within the conversation, in which one run at a time writes.
  position integer not null check (position > 0),
  created_at timestamptz(3) not null default now(),
  unique (conversation_id, position),
  unique (run_id, role),
  foreign key (conversation_id, user_id) references conversation (id, user_id) on delete cascade,
  foreign key (run_id, user_id) references run (id, user_id) on delete cascade
);

-- One answer of the model.
create table step (
  run_id text not null,
  number integer not null check (number > 0),
  user_id text not null default behalf.sub(),
  text text not null,
  reason text not null check (reason in ('done', 'length', 'refused')),
  reported boolean not null,
  input_tokens integer,
  output_tokens integer,
  cached_input_tokens integer,
  primary key (run_id, number),
  foreign key (run_id, user_id) references run (id, user_id) on delete cascade
);

create table tool_call (
  id text primary key check (id ~ '^call_[0-9a-f-]{36}$'),
  run_id text not null,
  user_id text not null default behalf.sub(),
  step integer not null,
  position integer not null,
  tool text not null,
  -- json and not jsonb: numbers and order stay as they were sent
  arguments json not null,
  status text not null default 'PROPOSED' check (status in ('PROPOSED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'NOT_PERMITTED', 'CANCELLED')),
  result json,
  result_truncated boolean not null default false,
  error_code text,
  error_message text,
  started_at timestamptz(3),
  finished_at timestamptz(3),
  unique (run_id, step, position),
  foreign key (run_id, step) references step (run_id, number) on delete cascade,
  foreign key (run_id, user_id) references run (id, user_id) on delete cascade
);

-- What a run acts under, apart from what resolvers read; removed when the run is over.
create table run_delegation (
  run_id text primary key,
  user_id text not null default behalf.sub(),
  handle text not null,
  foreign key (run_id, user_id) references run (id, user_id) on delete cascade
);

select behalf.own('conversation', 'user_id');
select behalf.own('run', 'user_id');
select behalf.own('message', 'user_id');
select behalf.own('step', 'user_id');
select behalf.own('tool_call', 'user_id');
select behalf.own('run_delegation', 'user_id');
