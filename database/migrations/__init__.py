"""How the SQL store's tables came to be, one revision after another (Alembic); applied when a store is opened."""
