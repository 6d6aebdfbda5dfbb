-- user_activities: all events but those that still wait in the inbox, in the order of time
-- form: rows
select
    a.happened_at as "timestamp",
    a.channel as "source.channel",
    a.device as "source.device",
    a.country as "source.country",
    uuid_send(a.event_id) as "eventId:uuid",
    a.pseudonym as "userPseudonym",
    a.event_type as "eventType",
    a.app_version as "appVersion",
    a.page as "page",
    a.load_ms as "loadMs",
    uuid_send(a.product_id) as "productId:uuid",
    a.quantity as "quantity",
    a.amount as "amount",
    a.currency as "currency",
    case when a.longitude is not null then 'Point' end as "location.type",
    case when a.longitude is not null then array[a.longitude, a.latitude] end as "location.coordinates"
from activities a
where not exists (select from inbox n where n.event_id = a.event_id and n.state <> 'moved')
order by a.happened_at, a.event_id;
