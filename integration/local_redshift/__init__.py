"""What makes a PostgreSQL play Redshift: its catalog (`catalog.sql`) and the port that refuses what Redshift refuses."""
