-- Who may see what: roles, row-level security on every table, and the principal that it goes by.
--
-- The principal is the `sub` of the JWT where there are claims (PostgREST, Supabase), else the session setting `graph_memory.user_id`.
-- Neither: nothing is seen and nothing can be written. Owners of the tables, superusers and roles with BYPASSRLS (Supabase's
-- service_role) see all.

do $$
begin
    perform set_config('search_path', format('graph_memory, %I, pg_temp', n.nspname), true)
    from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
    where e.extname = 'vector';
    if not exists (select from pg_roles where rolname = 'graph_memory_user') then
        begin
            create role graph_memory_user nologin;
        exception when duplicate_object or unique_violation then
            null; -- another database of this server was migrated at the same moment
        end;
    end if;
    if not pg_has_role(current_user, 'graph_memory_user', 'member') then
        grant graph_memory_user to current_user;
    end if;
end
$$;

create function graph_memory.label(kind text, value text) returns text
language sql immutable strict parallel safe
return kind || ':' || case
    when value ~ '^[-a-z0-9@+]*$' then value
    else (
        select string_agg(
            case
                when byte between 97 and 122 or byte between 48 and 57 or byte in (43, 45, 64) then chr(byte)
                else '=' || lpad(to_hex(byte), 2, '0')
            end,
            '' order by at
        )
        from (
            select at, get_byte(convert_to(value, 'UTF8'), at) as byte
            from generate_series(0, octet_length(convert_to(value, 'UTF8')) - 1) as at
        ) as bytes
    )
end || ':';
comment on function graph_memory.label is 'A namespace label that holds an id, as `label` in graph_memory/namespaces.py makes it.';

create function graph_memory.principal() returns text
language sql stable parallel safe
return graph_memory.label('user', nullif(
    case
        when nullif(current_setting('request.jwt.claims', true), '') is not null
        then current_setting('request.jwt.claims', true)::jsonb ->> 'sub'
        else current_setting('graph_memory.user_id', true)
    end,
    ''
));
comment on function graph_memory.principal is 'The owner label of whoever asks; null when nobody says who that is.';

alter table graph_memory.namespaces enable row level security;
alter table graph_memory.items enable row level security;
alter table graph_memory.postings enable row level security;
alter table graph_memory.vectors enable row level security;
alter table graph_memory.migrations enable row level security;

create policy own on graph_memory.namespaces
    using (owner = (select graph_memory.principal())) with check (owner = (select graph_memory.principal()));
create policy own on graph_memory.items
    using (space in (select id from graph_memory.namespaces where owner = (select graph_memory.principal())));
create policy own on graph_memory.postings
    using (space in (select id from graph_memory.namespaces where owner = (select graph_memory.principal())));
create policy own on graph_memory.vectors
    using (space in (select id from graph_memory.namespaces where owner = (select graph_memory.principal())));
create policy version on graph_memory.migrations for select using (true);

create function graph_memory.admit(role name) returns void
language plpgsql as $$
begin
    execute format('grant usage on schema graph_memory to %I', role);
    execute format('grant select, insert, update, delete on namespaces, items, postings, vectors to %I', role);
    execute format('grant select on migrations to %I', role);
    execute format('grant execute on all functions in schema graph_memory to %I', role);
end
$$;
comment on function graph_memory.admit is 'Lets a role use the store, as far as row-level security allows it.';
