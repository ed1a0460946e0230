-- The tables of a store: namespaces, items and their two indexes.
--
--   namespaces  one row per namespace that holds something, with the counters that ranking relies on
--   items       the items: `value` is their JSON to the letter, `doc` is what filters look at
--   postings    which items of a namespace hold a word, how often, and how long they are
--   vectors     unit vectors of the items' texts, by the digest of the text
--
-- Words have an index of their own instead of a tsvector: under row-level security Postgres uses an index only for operators that
-- are leakproof, which "=" on text is and "@@" is not, and the frequency of a word in a text is a column here, where a
-- tsvector has to be taken apart (2,000 texts of one namespace: 1.5 ms instead of 17).
--
-- A namespace's path is its labels, each closed by U+001F; see `encode_path` in graph_memory/stores/_ops.py.

create schema if not exists graph_memory;

do $$
begin
    if not exists (select from pg_extension where extname = 'vector') then
        if exists (select from pg_namespace where nspname = 'extensions') then
            create extension vector schema extensions;
        else
            create extension vector schema public;
        end if;
    end if;
    perform set_config('search_path', format('graph_memory, %I, pg_temp', n.nspname), true)
    from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace
    where e.extname = 'vector';
end
$$;

create table graph_memory.namespaces (
    id bigint generated always as identity primary key,
    path text collate "C" not null unique,
    owner text collate "C" generated always as (
        nullif(
            case
                when split_part(path, e'\x1f', 1) <> 'graph_memory' then ''
                when split_part(path, e'\x1f', 2) like 'outbox:%' then split_part(path, e'\x1f', 3)
                else split_part(path, e'\x1f', 2)
            end,
            ''
        )
    ) stored,
    documents bigint not null default 0,
    length double precision not null default 0,
    spread_mean double precision,
    spread_deviation double precision,
    spread_documents bigint not null default 0
);
create index namespaces_by_owner on graph_memory.namespaces (owner);
comment on column graph_memory.namespaces.owner is
    'Whose memory it is: the label that row-level security compares. In a queue of the outbox it comes one later.';
comment on column graph_memory.namespaces.documents is 'Items that are indexed.';
comment on column graph_memory.namespaces.length is 'Words of all of them.';
comment on column graph_memory.namespaces.spread_mean is 'Mean cosine of two random items, as of spread_documents.';

create table graph_memory.items (
    id bigint generated always as identity primary key,
    space bigint not null references graph_memory.namespaces,
    key text collate "C" not null,
    value text not null,
    doc jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    expires_at timestamptz,
    ttl interval,
    digest text collate "C" not null,
    length double precision not null,
    terms text[] collate "C" not null,
    unique (space, key)
);
create index items_by_age on graph_memory.items (space, updated_at desc);
create index items_by_expiry on graph_memory.items (space, expires_at) where expires_at is not null;
comment on column graph_memory.items.digest is 'Equal for two items that are indexed alike; empty when nothing is indexed.';

create table graph_memory.postings (
    space bigint not null,
    term text collate "C" not null,
    item bigint not null,
    count real not null,
    length real not null,
    primary key (space, term, item) include (count, length)
);

create table graph_memory.vectors (
    item bigint not null references graph_memory.items,
    digest text collate "C" not null,
    space bigint not null,
    graphed boolean not null,
    embedding vector not null,
    primary key (item, digest)
);
create index vectors_by_space on graph_memory.vectors (space, graphed);
comment on column graph_memory.vectors.graphed is
    'Whether the nearest are found by the HNSW index: from a namespace''s 4,000th item on. Fewer are compared one by one.';
