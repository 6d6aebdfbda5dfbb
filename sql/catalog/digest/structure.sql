-- structure: a line for every object of the database, by name and never by oid, in a stable order
-- needs: PostgreSQL 13
-- The system's own objects and the contents of extensions are left out; the state of sequences is in.
with schemas as (
  select n.*
  from pg_catalog.pg_namespace n
  where n.nspname !~ '^pg_'
    and n.nspname <> 'information_schema'
),
owned_by_extension as (
  select d.classid, d.objid
  from pg_catalog.pg_depend d
  where d.deptype = 'e'
),
relations as (
  select c.*, pg_catalog.format('%%I.%%I', n.nspname, c.relname) as qualified
  from pg_catalog.pg_class c
  join schemas n on n.oid = c.relnamespace
  where not exists (
    select
    from owned_by_extension e
    where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      and e.objid = c.oid
  )
),
lines as (
  select
    'database' as kind,
    '' as object,
    pg_catalog.jsonb_build_array(
      pg_catalog.pg_get_userbyid(d.datdba), d.datacl::text, d.datcollate, d.datctype,
      pg_catalog.pg_encoding_to_char(d.encoding),
      (
        select pg_catalog.jsonb_agg(
          pg_catalog.jsonb_build_array(pg_catalog.pg_get_userbyid(s.setrole), s.setconfig)
          order by pg_catalog.pg_get_userbyid(s.setrole)
        )
        from pg_catalog.pg_db_role_setting s
        where s.setdatabase = d.oid
      )
    ) as facts
  from pg_catalog.pg_database d
  where d.datname = pg_catalog.current_database()
  union all
  select
    'schema', pg_catalog.quote_ident(n.nspname),
    pg_catalog.jsonb_build_array(pg_catalog.pg_get_userbyid(n.nspowner), n.nspacl::text)
  from schemas n
  union all
  select
    'extension', pg_catalog.quote_ident(e.extname),
    pg_catalog.jsonb_build_array(e.extversion, e.extnamespace::pg_catalog.regnamespace::text)
  from pg_catalog.pg_extension e
  union all
  select
    'relation', r.qualified,
    pg_catalog.jsonb_build_array(
      r.relkind, r.relpersistence, pg_catalog.pg_get_userbyid(r.relowner), r.relacl::text, r.reloptions,
      r.relrowsecurity, r.relforcerowsecurity, r.relreplident, r.relispopulated, am.amname, ts.spcname,
      pg_catalog.pg_get_partkeydef(r.oid), pg_catalog.pg_get_expr(r.relpartbound, r.oid),
      case when r.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(r.oid) end,
      case when r.relkind in ('i', 'I') then pg_catalog.pg_get_indexdef(r.oid) end,
      f.ftoptions, fs.srvname,
      (
        select pg_catalog.array_agg(i.inhparent::pg_catalog.regclass::text order by i.inhseqno)
        from pg_catalog.pg_inherits i
        where i.inhrelid = r.oid
      )
    )
  from relations r
  left join pg_catalog.pg_am am on am.oid = r.relam
  left join pg_catalog.pg_tablespace ts on ts.oid = r.reltablespace
  left join pg_catalog.pg_foreign_table f on f.ftrelid = r.oid
  left join pg_catalog.pg_foreign_server fs on fs.oid = f.ftserver
  union all
  select
    'index', r.qualified,
    pg_catalog.jsonb_build_array(i.indisvalid, i.indisready, i.indisclustered, i.indisreplident)
  from relations r
  join pg_catalog.pg_index i on i.indexrelid = r.oid
  union all
  select
    'column', pg_catalog.concat(r.qualified, '.', pg_catalog.quote_ident(a.attname)),
    pg_catalog.jsonb_build_array(
      a.attnum, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
      a.attcollation::pg_catalog.regcollation::text, a.attstorage, a.attacl::text, a.attoptions, a.attislocal,
      a.attinhcount, a.attfdwoptions, pg_catalog.pg_get_expr(d.adbin, d.adrelid),
      -- it moved from the number -1 to null in PostgreSQL 17
      nullif((pg_catalog.to_jsonb(a) ->> 'attstattarget')::int, -1)
    )
  from relations r
  join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where r.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
  union all
  select
    'sequence', r.qualified,
    pg_catalog.jsonb_build_array(
      s.data_type::text, s.start_value, s.min_value, s.max_value, s.increment_by, s.cycle,
      s.cache_size, s.last_value
    )
  from relations r
  join schemas n on n.oid = r.relnamespace
  join pg_catalog.pg_sequences s on s.schemaname = n.nspname and s.sequencename = r.relname
  where r.relkind = 'S'
  union all
  select
    'constraint',
    pg_catalog.concat(coalesce(r.qualified, pg_catalog.format_type(con.contypid, null)), '.',
      pg_catalog.quote_ident(con.conname)),
    pg_catalog.jsonb_build_array(
      con.contype, pg_catalog.pg_get_constraintdef(con.oid), con.convalidated, con.condeferrable,
      con.condeferred, con.conislocal, con.connoinherit, pg_catalog.to_jsonb(con) -> 'conenforced'
    )
  from pg_catalog.pg_constraint con
  join schemas n on n.oid = con.connamespace
  left join relations r on r.oid = con.conrelid
  where r.oid is not null or con.contypid <> 0
  union all
  select
    'trigger', pg_catalog.concat(r.qualified, '.', pg_catalog.quote_ident(t.tgname)),
    pg_catalog.jsonb_build_array(pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled)
  from relations r
  join pg_catalog.pg_trigger t on t.tgrelid = r.oid
  where not t.tgisinternal
  union all
  -- a foreign key's triggers bear an oid in their name: what can change is whether they fire
  select
    'internal triggers', r.qualified,
    pg_catalog.jsonb_agg(t.tgenabled order by t.tgfoid, t.tgenabled, t.tgtype)
  from relations r
  join pg_catalog.pg_trigger t on t.tgrelid = r.oid
  where t.tgisinternal
  group by r.qualified
  union all
  select
    'rule', pg_catalog.concat(r.qualified, '.', pg_catalog.quote_ident(w.rulename)),
    pg_catalog.jsonb_build_array(pg_catalog.pg_get_ruledef(w.oid), w.ev_enabled)
  from relations r
  join pg_catalog.pg_rewrite w on w.ev_class = r.oid
  union all
  select
    'policy', pg_catalog.concat(r.qualified, '.', pg_catalog.quote_ident(p.polname)),
    pg_catalog.jsonb_build_array(
      p.polcmd, p.polpermissive,
      (
        select pg_catalog.array_agg(g.oid::pg_catalog.regrole::text order by g.oid::pg_catalog.regrole::text)
        from pg_catalog.unnest(p.polroles) as g(oid)
      ),
      pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
    )
  from relations r
  join pg_catalog.pg_policy p on p.polrelid = r.oid
  union all
  select
    'statistics', pg_catalog.format('%%I.%%I', n.nspname, s.stxname),
    pg_catalog.jsonb_build_array(
      pg_catalog.pg_get_statisticsobjdef(s.oid), pg_catalog.pg_get_userbyid(s.stxowner)
    )
  from pg_catalog.pg_statistic_ext s
  join schemas n on n.oid = s.stxnamespace
  union all
  select
    'routine', p.oid::pg_catalog.regprocedure::text,
    pg_catalog.jsonb_build_array(
      p.prokind, pg_catalog.pg_get_userbyid(p.proowner), p.proacl::text, p.proconfig,
      case when p.prokind <> 'a' then pg_catalog.pg_get_functiondef(p.oid) end,
      pg_catalog.pg_get_function_result(p.oid),
      (
        select pg_catalog.jsonb_build_array(
          a.aggkind, a.aggtransfn::text, a.aggfinalfn::text, a.aggcombinefn::text,
          pg_catalog.format_type(a.aggtranstype, null), a.agginitval
        )
        from pg_catalog.pg_aggregate a
        where a.aggfnoid = p.oid
      )
    )
  from pg_catalog.pg_proc p
  join schemas n on n.oid = p.pronamespace
  where not exists (
    select
    from owned_by_extension e
    where e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
      and e.objid = p.oid
  )
  union all
  select
    'type', pg_catalog.format_type(t.oid, null),
    pg_catalog.jsonb_build_array(
      t.typtype, pg_catalog.pg_get_userbyid(t.typowner), t.typacl::text,
      pg_catalog.format_type(t.typbasetype, t.typtypmod), t.typnotnull,
      coalesce(
        pg_catalog.pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::pg_catalog.regclass), t.typdefault
      ),
      (
        select pg_catalog.array_agg(e.enumlabel::text order by e.enumsortorder)
        from pg_catalog.pg_enum e
        where e.enumtypid = t.oid
      )
    )
  from pg_catalog.pg_type t
  join schemas n on n.oid = t.typnamespace
  where t.typtype in ('b', 'd', 'e', 'r', 'm')
    and t.typelem = 0
    and not exists (
      select
      from owned_by_extension e
      where e.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
        and e.objid = t.oid
    )
  union all
  select
    'comment', pg_catalog.concat_ws(' ', o.type, o.identity),
    pg_catalog.jsonb_build_array(d.description)
  from pg_catalog.pg_description d
  cross join lateral pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) o
  where d.objoid >= 16384
  union all
  select
    'event trigger', pg_catalog.quote_ident(t.evtname),
    pg_catalog.jsonb_build_array(
      t.evtevent, t.evtenabled, t.evttags, t.evtfoid::pg_catalog.regprocedure::text
    )
  from pg_catalog.pg_event_trigger t
  union all
  select
    'publication', pg_catalog.quote_ident(p.pubname),
    pg_catalog.jsonb_build_array(
      p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,
      (
        select pg_catalog.array_agg(
          m.prrelid::pg_catalog.regclass::text order by m.prrelid::pg_catalog.regclass::text
        )
        from pg_catalog.pg_publication_rel m
        where m.prpubid = p.oid
      )
    )
  from pg_catalog.pg_publication p
  union all
  select
    'default privileges',
    pg_catalog.concat_ws(
      ' ', pg_catalog.pg_get_userbyid(a.defaclrole), a.defaclnamespace::pg_catalog.regnamespace::text,
      a.defaclobjtype
    ),
    pg_catalog.jsonb_build_array(a.defaclacl::text)
  from pg_catalog.pg_default_acl a
  union all
  select
    'large objects', '',
    pg_catalog.jsonb_build_array(pg_catalog.count(*))
  from pg_catalog.pg_largeobject_metadata
)
select l.kind, l.object, l.facts::text as facts
from lines l
order by l.kind collate "C", l.object collate "C", l.facts::text collate "C";
