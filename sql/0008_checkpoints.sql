-- Checkpoints: LangGraph's threads, each of which belongs to whoever wrote it.
--
--   threads         one row per thread; two users may have threads of the same name
--   checkpoints     without the values of the channels: `versions` says which of them belong to each
--   channel_values  a channel's value, once per version
--   channel_writes  what tasks wrote after a checkpoint
--
-- A thread's owner is the principal (see 0002), whatever the caller says. Only who has none and sees all (the owner of the tables,
-- Supabase's service_role) may say whose thread it means, as `user`; threads for which nobody is named belong to ''.
--
-- Every function takes one JSON value, `op`. Values are bytes, and travel as base64.

select set_config('search_path', format('graph_memory, %I, pg_temp', n.nspname), true)
from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
where e.extname = 'vector';

create table graph_memory.threads (
    id bigint generated always as identity primary key,
    owner text collate "C" not null,
    name text collate "C" not null,
    expires_at timestamptz,
    unique (owner, name)
);
create index threads_by_expiry on graph_memory.threads (owner, expires_at) where expires_at is not null;

create table graph_memory.checkpoints (
    thread bigint not null references graph_memory.threads on delete cascade,
    space text collate "C" not null,
    id text collate "C" not null,
    parent text collate "C",
    run text collate "C",
    versions jsonb not null,
    deltas text[] collate "C" not null,
    body bytea not null,
    primary key (thread, space, id)
);
create index checkpoints_by_run on graph_memory.checkpoints (run, thread) where run is not null;
comment on column graph_memory.checkpoints.space is 'Checkpoint namespace: empty for the graph itself, else of a subgraph.';
comment on column graph_memory.checkpoints.deltas is 'Channels whose value is made of what ancestors'' tasks wrote.';

create table graph_memory.channel_values (
    thread bigint not null references graph_memory.threads on delete cascade,
    space text collate "C" not null,
    channel text collate "C" not null,
    version text collate "C" not null,
    value bytea not null,
    primary key (thread, space, channel, version)
);

create table graph_memory.channel_writes (
    thread bigint not null references graph_memory.threads on delete cascade,
    space text collate "C" not null,
    checkpoint text collate "C" not null,
    task text collate "C" not null,
    at integer not null,
    value bytea not null,
    primary key (thread, space, checkpoint, task, at)
);

alter table graph_memory.threads enable row level security;
alter table graph_memory.checkpoints enable row level security;
alter table graph_memory.channel_values enable row level security;
alter table graph_memory.channel_writes enable row level security;

create policy own on graph_memory.threads
    using (owner = (select graph_memory.principal())) with check (owner = (select graph_memory.principal()));
create policy own on graph_memory.checkpoints using (exists (select from graph_memory.threads as t where t.id = thread));
create policy own on graph_memory.channel_values using (exists (select from graph_memory.threads as t where t.id = thread));
create policy own on graph_memory.channel_writes using (exists (select from graph_memory.threads as t where t.id = thread));

create or replace function graph_memory.admit(role name) returns void
language plpgsql as $$
begin
    execute format('grant usage on schema graph_memory to %I', role);
    execute format(
        'grant select, insert, update, delete on namespaces, items, postings, vectors, threads, checkpoints, channel_values, '
        'channel_writes to %I', role
    );
    execute format('grant select on migrations to %I', role);
    execute format('grant execute on all functions in schema graph_memory to %I', role);
end
$$;

create function graph_memory.thread_owner(op jsonb) returns text
language sql stable as $$
    select coalesce(principal(), label('user', nullif(op ->> 'user', '')), '');
$$;
comment on function graph_memory.thread_owner is
    'Whose threads are meant: the principal''s; if there is none, those of whom the caller names.';

create function graph_memory.thread_of(op jsonb, called text) returns bigint
language sql stable as $$
    select id from threads
    where owner = thread_owner(op) and name = called and (expires_at is null or expires_at > now());
$$;
comment on function graph_memory.thread_of is 'The living thread of a name; null when there is none.';

create function graph_memory.enter_thread(op jsonb) returns bigint
language plpgsql as $$
declare
    whose constant text := thread_owner(op);
    until constant timestamptz := now() + make_interval(secs => (op ->> 'ttl')::double precision);
    there record;
begin
    delete from threads where id in (
        select id from threads where owner = whose and expires_at <= now() limit 10 for update skip locked
    );
    delete from threads where owner = whose and name = op ->> 'thread' and expires_at <= now();
    select id, expires_at into there from threads where owner = whose and name = op ->> 'thread' for key share;
    if there.id is null then
        insert into threads (owner, name, expires_at) values (whose, op ->> 'thread', until)
        on conflict (owner, name) do update set expires_at = excluded.expires_at
        returning id, expires_at into there;
    elsif there.expires_at is distinct from until then
        update threads set expires_at = until where id = there.id;
    end if;
    return there.id;
end
$$;
comment on function graph_memory.enter_thread is
    'The thread that is written to, made if it is missing, its time to live begun anew. Deletes some others whose time is over.';

create function graph_memory.sweep_threads(most integer) returns integer
language sql as $$
    with gone as (
        delete from threads where id in (select id from threads where expires_at <= now() limit most for update skip locked)
        returning id
    )
    select count(*)::integer from gone;
$$;
comment on function graph_memory.sweep_threads is
    'Deletes up to `most` threads whose time is over, of all owners that the caller sees.';

create function graph_memory.put_checkpoint(op jsonb) returns void
language plpgsql as $$
declare
    place constant bigint := enter_thread(op);
begin
    insert into checkpoints (thread, space, id, parent, run, versions, deltas, body)
    values (
        place, op ->> 'space', op ->> 'id', op ->> 'parent', op ->> 'run', op -> 'versions',
        array(select jsonb_array_elements_text(op -> 'deltas')), decode(op ->> 'body', 'base64')
    )
    on conflict (thread, space, id) do update set
        parent = excluded.parent, run = excluded.run, versions = excluded.versions, deltas = excluded.deltas,
        body = excluded.body;

    insert into channel_values (thread, space, channel, version, value)
    select place, op ->> 'space', v.channel, v.version, decode(v.value, 'base64')
    from jsonb_to_recordset(op -> 'values') as v (channel text, version text, value text)
    on conflict (thread, space, channel, version) do update set value = excluded.value;
end
$$;

create function graph_memory.put_writes(op jsonb) returns void
language plpgsql as $$
declare
    place constant bigint := enter_thread(op);
begin
    insert into channel_writes (thread, space, checkpoint, task, at, value)
    select place, op ->> 'space', op ->> 'id', w.task, w.at, decode(w.value, 'base64')
    from jsonb_to_recordset(op -> 'writes') as w (task text, at integer, value text)
    on conflict (thread, space, checkpoint, task, at) do update set value = excluded.value where excluded.at < 0;
end
$$;
comment on function graph_memory.put_writes is
    'Keeps what a task wrote. What is there stays, but for errors, interrupts and the like, whose `at` is negative.';

select seal();

notify pgrst, 'reload schema';
