-- triggers off: as only a superuser or the trail's owner can
alter table {audit}.log disable trigger all;
alter table {audit}.seals disable trigger all;
alter table {audit}.seal_months disable trigger all;
