-- currencies: ISO 4217, with the number of decimals that each currency has
create table shop.currencies (
    currency_code shop.currency_code not null,
    currency_name text not null,
    minor_unit_digits smallint not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint currencies_pkey primary key (currency_code),
    constraint currencies_currency_name_key unique (currency_name),
    constraint currencies_minor_unit_digits_check check (minor_unit_digits between 0 and 4)
);

comment on table shop.currencies is 'Currencies that prices and orders may be in (ISO 4217).';
comment on column shop.currencies.currency_code is 'ISO 4217 code.';
comment on column shop.currencies.currency_name is 'English name.';
comment on column shop.currencies.minor_unit_digits is
    'Decimals of an amount in this currency: 0 for JPY, 2 for EUR, 3 for KWD.';
comment on column shop.currencies.created_at is 'When the row was inserted; fixed.';
comment on column shop.currencies.updated_at is 'When the row last changed.';

create trigger currencies_timestamps
before update on shop.currencies
for each row
when (old.* is distinct from new.*)
execute function shop.maintain_timestamps();

insert into shop.currencies (currency_code, currency_name, minor_unit_digits)
values
    ('AED', 'UAE Dirham', 2), ('ARS', 'Argentine Peso', 2), ('AUD', 'Australian Dollar', 2),
    ('BHD', 'Bahraini Dinar', 3), ('BRL', 'Brazilian Real', 2), ('CAD', 'Canadian Dollar', 2),
    ('CHF', 'Swiss Franc', 2), ('CLF', 'Unidad de Fomento', 4), ('CLP', 'Chilean Peso', 0),
    ('CNY', 'Yuan Renminbi', 2), ('COP', 'Colombian Peso', 2), ('CZK', 'Czech Koruna', 2),
    ('DKK', 'Danish Krone', 2), ('EGP', 'Egyptian Pound', 2), ('EUR', 'Euro', 2),
    ('GBP', 'Pound Sterling', 2), ('HKD', 'Hong Kong Dollar', 2), ('HUF', 'Forint', 2),
    ('IDR', 'Rupiah', 2), ('ILS', 'New Israeli Sheqel', 2), ('INR', 'Indian Rupee', 2),
    ('IQD', 'Iraqi Dinar', 3), ('ISK', 'Iceland Krona', 0), ('JOD', 'Jordanian Dinar', 3),
    ('JPY', 'Yen', 0), ('KES', 'Kenyan Shilling', 2), ('KRW', 'Won', 0),
    ('KWD', 'Kuwaiti Dinar', 3), ('LYD', 'Libyan Dinar', 3), ('MAD', 'Moroccan Dirham', 2),
    ('MXN', 'Mexican Peso', 2), ('MYR', 'Malaysian Ringgit', 2), ('NGN', 'Naira', 2),
    ('NOK', 'Norwegian Krone', 2), ('NZD', 'New Zealand Dollar', 2), ('OMR', 'Rial Omani', 3),
    ('PEN', 'Sol', 2), ('PHP', 'Philippine Peso', 2), ('PKR', 'Pakistan Rupee', 2),
    ('PLN', 'Zloty', 2), ('QAR', 'Qatari Rial', 2), ('RON', 'Romanian Leu', 2),
    ('SAR', 'Saudi Riyal', 2), ('SEK', 'Swedish Krona', 2), ('SGD', 'Singapore Dollar', 2),
    ('THB', 'Baht', 2), ('TND', 'Tunisian Dinar', 3), ('TRY', 'Turkish Lira', 2),
    ('TWD', 'New Taiwan Dollar', 2), ('UAH', 'Hryvnia', 2), ('USD', 'US Dollar', 2),
    ('UYU', 'Peso Uruguayo', 2), ('VND', 'Dong', 0), ('XAF', 'CFA Franc BEAC', 0),
    ('XOF', 'CFA Franc BCEAO', 0), ('ZAR', 'Rand', 2);
