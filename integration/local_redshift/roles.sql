-- The login of the worker and the database that it owns. Redshift's first database is called dev as well.
CREATE ROLE snowhaul LOGIN PASSWORD :'password';
CREATE DATABASE dev OWNER snowhaul;
