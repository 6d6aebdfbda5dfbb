-- planted_in_column: a marker put into one row of an audited table
update {table} t
set {column} = %(marker)s
from (select {key} from {table} order by {key} limit 1) as first_row
where {same_row};
