-- event_trigger: event triggers whose function belongs to a role that is no superuser, or that are switched off
-- level: error   needs: PostgreSQL 13   scope: database   reads: all
-- section: 4 User access and authorization   control: Ensure excessive function privileges are revoked
-- near miss: an event trigger of a superuser's function that is on; members of extensions
select
  'event_trigger' as "check",
  case when r.rolsuper then 'warn' else 'error' end as severity,
  pg_catalog.quote_ident(t.evtname) as object,
  case
    when r.rolsuper then pg_catalog.format('the event trigger %%I is switched off', t.evtname)
    else pg_catalog.format('%%I may change what the event trigger %%I does', r.rolname, t.evtname)
  end as title,
  case
    when r.rolsuper then 'What it guarded or recorded is not guarded or recorded since. '
    else 'The function runs as whoever changes the structure or logs in, a superuser too: its owner can write into '
      'it what makes a superuser of him. '
  end || 'Source: PostgreSQL manual, chapter 38, Event Triggers.' as why,
  case
    when r.rolsuper then pg_catalog.format('alter event trigger %%I enable;', t.evtname)
    else pg_catalog.format(
      'alter function %%s owner to %%I;', p.oid::pg_catalog.regprocedure, owner.rolname
    )
  end as fix,
  pg_catalog.jsonb_build_object() as details
from pg_catalog.pg_event_trigger t
join pg_catalog.pg_proc p on p.oid = t.evtfoid
join pg_catalog.pg_roles r on r.oid = p.proowner
join pg_catalog.pg_roles owner on owner.oid = t.evtowner
where (not r.rolsuper or t.evtenabled = 'D')
  and (r.rolsuper or owner.rolsuper)
  and not exists (
    select
    from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass
      and d.objid = t.oid
      and d.deptype = 'e'
  )
order by object;
