-- tls_on: the server's certificate, the authority of its clients, and nothing older than TLS 1.3
-- needs: PostgreSQL 13
alter system set ssl = 'on';

alter system set ssl_cert_file = 'server.crt';

alter system set ssl_key_file = 'server.key';

alter system set ssl_ca_file = 'root.crt';

alter system set ssl_min_protocol_version = 'TLSv1.3';
