-- role_attribute: an attribute that a role is not to have, given for the time of an attack, and taken again
-- needs: PostgreSQL 13   placeholders: role, attribute
alter role {role} {attribute};
