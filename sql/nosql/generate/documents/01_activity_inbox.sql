-- activity_inbox: the events of the last two hours: new, being moved, or just moved
-- form: rows
select
    1 as "schemaVersion",
    n.state as "state",
    a.happened_at + interval '2 seconds' as "receivedAt",
    case n.state
        when 'moving' then decode('0000000000000000000000b1', 'hex')
        when 'moved' then decode('0000000000000000000000b0', 'hex')
    end as "batchId:objectId",
    case n.state when 'moved' then a.happened_at + interval '10 minutes' end as "movedAt",
    a.happened_at as "event.timestamp",
    a.channel as "event.source.channel",
    a.device as "event.source.device",
    a.country as "event.source.country",
    uuid_send(a.event_id) as "event.eventId:uuid",
    a.pseudonym as "event.userPseudonym",
    a.event_type as "event.eventType",
    a.app_version as "event.appVersion",
    a.page as "event.page",
    a.load_ms as "event.loadMs",
    uuid_send(a.product_id) as "event.productId:uuid",
    a.quantity as "event.quantity",
    a.amount as "event.amount",
    a.currency as "event.currency",
    case when a.longitude is not null then 'Point' end as "event.location.type",
    case when a.longitude is not null then array[a.longitude, a.latitude] end as "event.location.coordinates"
from inbox n
join activities a on a.event_id = n.event_id
order by a.happened_at, a.event_id;
