-- sealed_keys: the wrapped data keys
select wrapped
from encryption.data_key;
