-- grants: nobody has anything but the readers, who read
revoke all on all tables in schema {audit} from public;

revoke all on all routines in schema {audit} from public;
